/** Markdown under the name that programs beside the page, which render as it does, know it by. */
export * from '../ui/markdown/blocks';
