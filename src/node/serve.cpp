#include "node/serve.hpp"

#include "node/backup.hpp"
#include "node/chores.hpp"
#include "node/cluster.hpp"
#include "node/kafka_doors.hpp"
#include "node/memory.hpp"
#include "node/memory_keeper.hpp"
#include "node/oidc.hpp"
#include "node/outgoing.hpp"
#include "node/process_start.hpp"
#include "node/secret_sources.hpp"
#include "node/settings_checks.hpp"
#include "node/sign_in.hpp"
#include "node/web_server.hpp"
#include "observability/log.hpp"

namespace soma {

// Each subsystem stands on those before it. A return at any point ends what was begun, the last
// first.
result<int> serve(const config& settings) {
  keep_large_blocks_apart();
  if (auto good = check_settings(settings); !good) return good.error();
  const signals taken;
  const secret_watch secrets(settings);
  if (auto taken_over = take_cluster_key(settings); !taken_over) return taken_over.error();
  auto store = node_store::open(settings);
  if (!store) return store.error();
  // Linked to the others, where there are any, before anything is read or written: what this node
  // owns follows from who else is there.
  auto cluster = node_cluster::open(settings, (*store)->server_key(), (*store)->audit(),
                                    (*store)->partitions());
  if (!cluster) return cluster.error();
  if (*cluster) (*cluster)->join();
  if (auto settled = (*store)->settle(); !settled) return settled.error();
  node_metrics metrics((*store)->audit());
  node_feeds feeds(settings);
  auto models = node_models::open(settings, **store, metrics.registry());
  if (!models) return models.error();
  auto files =
      node_files::open(settings, (*store)->events(), feeds.facts(), (*store)->tenant_keys());
  if (!files) return files.error();
  auto memory = node_memory::open(settings, **store, feeds, **models);
  if (!memory) return memory.error();
  auto outgoing = node_outgoing::open(settings, **store, **memory, (*models)->guard());
  if (!outgoing) return outgoing.error();
  auto identities = node_identities::open(settings, **store);
  if (!identities) return identities.error();
  auto oidc = node_oidc::open(settings, **store);
  if (!oidc) return oidc.error();
  auto tools = node_tools::open({settings, **store, **files, feeds, (*memory)->memories(),
                                 (*memory)->knowledge(), **identities, (*models)->guard()});
  if (!tools) return tools.error();
  node_sessions sessions(
      settings, {(*store)->events(), feeds.registry(), **models, **tools, (*tools)->runner(), feeds,
                 metrics.probe(), &(*memory)->recaller(), (*memory)->remembering()});
  backup::backup_keeper backups(backup_sources_of(settings, (*store)->events()),
                                keeper_options_of(settings));
  kafka_doors doors(settings, (*store)->server_key());
  auto web = web_server::open({settings, **store, metrics, feeds, **models, **files, **tools,
                               **identities, sessions, **memory, **outgoing, backups, **oidc,
                               cluster->get(), doors.board()});
  if (!web) return web.error();
  (*store)->on_ownership({[&sessions] { sessions.runtime().ownership_changed(); },
                          [&sessions] { (void)sessions.recover(); },
                          [&sessions](const std::function<bool(const session_key&)>& which) {
                            return sessions.runtime().at_rest(which);
                          }});
  auto recovering = sessions.recover();
  if (!recovering) return recovering.error();
  if (auto started = (*web)->start(); !started) return started.error();
  if (*cluster) (*cluster)->take_requests((*web)->node_port());
  (*oidc)->start((*web)->services());
  if (auto opened = doors.start(**web, (*store)->audit(), cluster->get()); !opened)
    return opened.error();
  note_started();
  record_start((*store)->audit(), settings, (*web)->port());
  auto door = announce(settings, (*web)->port(), *recovering, **identities);
  auto backup_door = open_backup_door(settings.text("storage.data_dir"), backups);
  if (!backup_door)
    log(log_level::warn, "backup.no_door", {{"reason", backup_door.error().detail}});

  chores small({**web, **store, **identities, **models, **tools});
  small.run(taken);
  log(log_level::info, "server.stopping");
  record_stopping((*store)->audit());
  (*web)->say_stopping();
  small.run(taken, std::chrono::seconds(settings.number("shutdown.drain_s")));
  // While requests are still served: others take over at once what they would wait for else.
  if (*cluster) (*cluster)->leave();
  door.reset();
  (*oidc)->stop();
  backups.stop();
  if (backup_door) backup_door->reset();
  doors.take_no_more();
  (*web)->stop();
  doors.let_go();
  (*store)->on_ownership({});
  const bool in_time = sessions.stop();
  web->reset();
  (*memory)->stop();
  if (auto saved = (*models)->close(); !saved) {
    // Of a node of several that has given up documents: another writes them by now.
    if (!*cluster) return saved.error();
    log(log_level::warn, "usage.not_saved", {{"reason", saved.error().detail}});
  }
  end_audit((*store)->audit(), in_time);
  doors.stop();
  log(log_level::info, "server.stopped", {{"in_time", in_time}});
  return in_time ? 0 : 1;
}

}  // namespace soma
