import { fill, find, make } from './elements.ts';
import type { Page } from './page.ts';
import { preparePhoto, type PhotoProblem, type PreparedPhoto } from './photo-file.ts';

export interface PhotoField {
  readonly photo: () => PreparedPhoto | null;
  /** The photo, once one that was just chosen is ready. */
  ready(): Promise<PreparedPhoto | null>;
  clear(): void;
  /** Says that a photo is needed, and brings the reader there. */
  demand(): void;
  /** Lets another photo be chosen. */
  choose(): void;
  render(): void;
}

/** Taking, choosing, dropping or pasting a photo, and what is shown of it. */
export function createPhotoField(page: Page): PhotoField {
  const area = find('drop', HTMLElement);
  const shown = find('preview', HTMLElement);
  const note = find('photo-note', HTMLElement);
  const picker = find('picker', HTMLInputElement);
  const inputs = [find('camera', HTMLInputElement), picker];
  const pickText = find('pick-text', HTMLElement);
  const remove = find('unpick', HTMLButtonElement);
  let photo: PreparedPhoto | null = null;
  let url: string | null = null;
  let problem: PhotoProblem | 'photoMissing' | null = null;
  let preparing: Promise<void> | null = null;
  /** Counts choices, so that a photo that took long does not come after the one that was chosen later. */
  let choice = 0;

  /** What was chosen before is gone at once, so that it is not sent in place of this one. */
  function take(file: Blob): void {
    set(null, null);
    preparing = prepare(file, choice);
    render();
  }

  async function prepare(file: Blob, mine: number): Promise<void> {
    const prepared = await preparePhoto(file);
    if (mine !== choice) return;
    if (typeof prepared === 'string') set(null, prepared);
    else set(prepared, null);
    page.announce(note.textContent);
  }

  async function ready(): Promise<PreparedPhoto | null> {
    await preparing;
    // Another one may have been chosen meanwhile.
    return preparing ? await ready() : photo;
  }

  function set(prepared: PreparedPhoto | null, trouble: typeof problem): void {
    choice += 1;
    preparing = null;
    if (url !== null) URL.revokeObjectURL(url);
    photo = prepared;
    url = prepared && URL.createObjectURL(prepared.blob);
    problem = trouble;
    render();
  }

  function sizeNote(): string {
    if (!photo) return '';
    const { width, height, from } = photo;
    const words = page.words();
    const size = sizeText({ width, height });
    if (!from) return words.photoSent(size);
    return from.width === width ? words.photoRewritten(size) : words.photoReduced(sizeText(from), size);
  }

  function render(): void {
    const words = page.words();
    fill(shown, url !== null && make('img', { src: url, alt: words.preview }));
    pickText.textContent = photo ? words.otherPhoto : words.choosePhoto;
    remove.textContent = words.removePhoto;
    remove.hidden = photo === null;
    area.classList.toggle('has-photo', photo !== null);
    fill(note, preparing ? words.preparing : problem ? words[problem] : sizeNote());
    note.hidden = note.textContent === '';
    note.classList.toggle('problem', problem !== null);
    for (const input of inputs) {
      input.setAttribute('aria-invalid', String(problem !== null));
    }
  }

  remove.addEventListener('click', () => {
    set(null, null);
    picker.focus();
  });
  for (const input of inputs) {
    const takeChosen = () => {
      const [file] = input.files ?? [];
      // So that the same file may be chosen again.
      input.value = '';
      if (file) take(file);
    };
    input.addEventListener('change', takeChosen);
    // On a slow line the photo may be taken before this script is there.
    takeChosen();
  }
  listenToDrops(area, take);

  return {
    photo: () => photo,
    ready,
    clear: () => set(null, null),
    demand() {
      // A photo that cannot be sent has been told of already.
      problem ??= 'photoMissing';
      render();
      page.announce(page.words()[problem]);
      picker.focus();
    },
    choose: () => picker.click(),
    render,
  };
}

function sizeText({ width, height }: { width: number; height: number }): string {
  return `${width} × ${height}`;
}

/** A file may be dropped, and a picture pasted, anywhere on the page; anything else is left to the browser. */
function listenToDrops(area: HTMLElement, take: (file: Blob) => void): void {
  const pictureOf = (transfer: DataTransfer | null) =>
    [...(transfer?.files ?? [])].find(({ type }) => type.startsWith('image/'));
  document.addEventListener('dragover', (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    // Otherwise the browser would open the file in place of the page.
    event.preventDefault();
    area.classList.add('dragged');
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) area.classList.remove('dragged');
  });
  document.addEventListener('drop', (event) => {
    area.classList.remove('dragged');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    // Some pictures have no type that the system knows: whoever opens the file tells what is wrong with it.
    const file = pictureOf(event.dataTransfer) ?? event.dataTransfer.files[0];
    if (file) take(file);
  });
  document.addEventListener('paste', (event) => {
    const file = pictureOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    take(file);
  });
}
