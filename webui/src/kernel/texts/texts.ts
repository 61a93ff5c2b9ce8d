import { en } from './en';

/** What the page says. Another language is another file of the same shape. */
export type Texts = typeof en;

export const t: Texts = en;
