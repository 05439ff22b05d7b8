import { rulesName } from '@bunri/engines';
import type { Locale } from '@bunri/queue-contracts';
import { PermanentError, type Handler } from '@bunri/runtime';
import { rulesOnlyOutput } from './rules-guidance.ts';
import { words } from './rules-words.ts';

/** In the place of the words for a model that could not be used. */
const notAsked: Readonly<Record<Locale, string>> = {
  ko: '언어 모델에 묻지 않고 배출 규칙만으로 안내해 드려요.',
  en: 'No language model was asked: this is made from the disposal rules alone.',
};

/**
 * The stage without a model, as `LLM_MODEL=rules` wants it: that is its first choice, so that nothing is degraded. It costs
 * nothing, and is made anew each time.
 *
 * @throws PermanentError `model_request_rejected` for a replay that names a model.
 */
export function makeRulesHandler(): Handler<'llm'> {
  return async ({ request, vision, rag }) => {
    const { question, locale, replay } = request;
    const asked = replay?.llmModel ?? rulesName;
    if (asked !== rulesName) throw new PermanentError('model_request_rejected', noModels(asked));
    const output = rulesOnlyOutput({ classification: vision.classification, context: rag, locale, question });
    const answer = output.guidance.answer.replace(words[locale].withoutModel, notAsked[locale]);
    return await Promise.resolve({
      output: { ...output, guidance: { ...output.guidance, answer } },
      cached: false,
    });
  };
}

function noModels(model: string): string {
  return `The model ${JSON.stringify(model)} cannot be asked, as this service writes from the rules alone; its operator can set LLM_MODEL.`;
}
