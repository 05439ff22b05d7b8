/** Kinds of models that can be asked about any text, as their `config.json` names them. */
export const families = ['clip', 'siglip'] as const;
