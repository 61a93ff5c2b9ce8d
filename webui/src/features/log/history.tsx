import { readHistory } from '../sessions/exports';
import type { PlaceProps } from '../../ui/place';
import { CopyButton } from '../../ui/copy_button';
import { Markdown } from '../../ui/markdown/markdown';
import { Problem } from '../../ui/problem';
import { Dialog, Loading } from '../../ui/dialog';
import { useRead } from '../../ui/use_read';
import { texts } from './texts';
import { titles } from './titles';
import { t } from '../../kernel/texts/texts';

export function HistoryModal({ sessionId, onClose }: PlaceProps<string>) {
  const [read, again] = useRead(() => readHistory(sessionId));
  const { history, tokens } = read.is === 'read' ? read.value : { history: '', tokens: 0 };
  return (
    <Dialog title={titles.history} onClose={onClose}
      actions={history !== '' && <CopyButton label={t.copy} text={() => history} />}>
      {read.is === 'reading' && <Loading />}
      {read.is === 'failed' && <Problem text={read.problem} onRetry={again} />}
      {read.is === 'read' && (
        <>
          <p class="settings-hint">{texts.history.about(tokens)}</p>
          {history === '' ? <p>{texts.history.empty}</p> : <Markdown text={history} growing={false} />}
        </>
      )}
    </Dialog>
  );
}
