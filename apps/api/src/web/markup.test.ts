import { expect, test } from '@jest/globals';
import { markup } from './markup.ts';

test('whatever is put into a page is text, in an element and in an attribute', () => {
  const hostile = `"><script>alert('1')</script>&`;
  const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;';
  expect(markup`<p title="${hostile}">${hostile}</p>`.html).toBe(`<p title="${escaped}">${escaped}</p>`);
});

test('pieces and lists of pieces are joined as they are, and null is nothing', () => {
  const parts = ['a', 'b<'].map((text) => markup`<li>${text}</li>`);
  expect(markup`<ul>${parts}${null}${3}</ul>`.html).toBe('<ul><li>a</li><li>b&lt;</li>3</ul>');
});
