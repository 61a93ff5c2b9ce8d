import { useEffect, useState } from 'preact/hooks';
import { highlight } from './highlight';
import { CopyButton } from '../copy_button';
import { Icon } from '../icon';
import { t } from '../../kernel/texts/texts';
import { texts } from './texts';

interface Props {
  language: string;
  code: string;
  /** More of it may come: colours wait. */
  growing?: boolean;
}

export function CodeBlock({ language, code, growing = false }: Props) {
  const [wrap, setWrap] = useState(false);
  const [coloured, setColoured] = useState({ code: '', html: '' });
  useEffect(() => {
    if (growing) return;
    let wanted = true;
    void highlight(language, code).then(
      (html) => wanted && html !== null && setColoured({ code, html }),
      () => {}, // the code is there all the same
    );
    return () => void (wanted = false);
  }, [language, code, growing]);
  const html = coloured.code === code ? coloured.html : '';
  return (
    <div class="block code">
      <div class="code-head">
        <span>{language || texts.plain}</span>
        <button type="button" class="quiet small" aria-pressed={wrap} title={texts.wrapHint}
          onClick={() => setWrap(!wrap)}>
          <Icon name="wrap" /><span>{texts.wrap}</span>
        </button>
        <CopyButton label={t.copy} text={() => code} />
      </div>
      <pre tabIndex={0} class={wrap ? 'wrapped' : ''} aria-label={texts.label(language)}>
        {html === '' ? <code>{code}</code> : <code dangerouslySetInnerHTML={{ __html: html }} />}
      </pre>
    </div>
  );
}
