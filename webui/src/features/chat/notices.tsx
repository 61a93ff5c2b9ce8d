import { ServerConfig } from '../../kernel/server_config';
import { usePart, useWorkspace } from '../../ui/use_part';
import { outdated } from '../../kernel/page_version';
import { open } from '../../kernel/route';
import { isFor, useOffer } from '../../ui/place';
import { texts } from './texts';
import { t } from '../../kernel/texts/texts';

export function ServerBanners() {
  const config = usePart(ServerConfig);
  const { flags } = config.now;
  return (
    <>
      {outdated.value && (
        <div class="banner" role="status">
          <strong>{t.update.there}</strong><span>{t.update.kept}</span>
          <button type="button" class="link" onClick={() => location.reload()}>{t.update.reload}</button>
        </div>
      )}
      {flags?.rehearsal === true && (
        <div class="banner" role="note">
          <strong>{texts.banner.rehearsal}</strong>
          <span>{texts.banner.scripted}</span>
          <SetUp />
        </div>
      )}
      {config.degraded.value.length > 0 && (
        <div class="banner warn" role="status">
          <strong>{texts.banner.notUp}</strong><span>{config.degraded.value.join(', ')}</span>
          {flags?.model_configured === false && <SetUp />}
        </div>
      )}
    </>
  );
}

/** The way from no model to one, for those who may go it. */
function SetUp() {
  const { places } = useOffer();
  const { role } = useWorkspace().identity.value;
  if (!places.some((place) => place.id === 'models' && isFor(place, role))) return null;
  return (
    <button type="button" class="link" aria-haspopup="dialog"
      onClick={() => open('models', { profile: 'default' })}>
      {texts.banner.setUp}
    </button>
  );
}
