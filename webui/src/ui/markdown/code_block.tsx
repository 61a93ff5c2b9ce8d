import { useEffect, useState } from 'preact/hooks';
import { highlight } from './highlight';
import { t } from '../../kernel/texts/texts';
import { CopyButton } from '../copy_button';
import { Icon } from '../icon';

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
        <span>{language || t.code.plain}</span>
        <button type="button" class="quiet small" aria-pressed={wrap} title={t.code.wrapHint}
          onClick={() => setWrap(!wrap)}>
          <Icon name="wrap" /><span>{t.code.wrap}</span>
        </button>
        <CopyButton label={t.copy} text={() => code} />
      </div>
      <pre tabIndex={0} class={wrap ? 'wrapped' : ''} aria-label={t.code.label(language)}>
        {html === '' ? <code>{code}</code> : <code dangerouslySetInnerHTML={{ __html: html }} />}
      </pre>
    </div>
  );
}
