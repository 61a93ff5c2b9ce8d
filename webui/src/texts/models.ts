import { enModels } from './en_models';

/** What the settings of models say; as `t`, loaded with them. */
export const tm: typeof enModels = enModels;
