import { enModels } from './en';

/** What the settings of models say; as `t`, loaded with them. */
export const tm: typeof enModels = enModels;
