#include "node/chores.hpp"

#include "cluster/placement.hpp"
#include "core/time.hpp"
#include "http/stream/health_watch.hpp"
#include "node/memory_keeper.hpp"
#include "observability/log.hpp"
#include "storage/node_rows.hpp"

namespace soma {

void chores::run(const signals& from, std::optional<std::chrono::seconds> at_most) {
  using clock = std::chrono::steady_clock;
  const auto until = at_most ? clock::now() + *at_most : clock::time_point::max();
  auto& services = on_.web.services();
  http::health_watch health(services, services.node.feeds);
  memory_keeper memory;
  auto& vitals = on_.store.vitals();
  for (std::uint64_t tick = 1; clock::now() < until; ++tick) {
    const auto said = from.wait();
    if (said == signal_said::end) return;
    if (said == signal_said::take_up_files) take_up_files();
    services.node.feeds.sweep(now_ms());
    vitals.sample();
    if (vitals.refusing() && tick % 5 == 0) try_store();
    health.look();
    on_.store.secrets().follow_key_file();
    on_.web.follow_certificates();
    on_.store.audit().tick();
    memory.look();
    if (on_.store.partitions()) follow_documents();
    if (tick % 3600 == 0)
      on_.store.lanes().writes.post(
          [&browsers = on_.identities.browsers(), &events = on_.store.events()] {
            if (events.keeps_documents()) (void)browsers.sweep(now_ms());
          });
  }
}

// What can be taken up again without a restart: files that were rotated or replaced.
void chores::take_up_files() {
  log(log_level::info, "server.reloading");
  on_.store.audit().reopen();
  on_.store.secrets().follow_key_file();
  on_.web.follow_certificates(true);
}

// What this process keeps in memory of documents was written by another node, maybe: profiles,
// secrets, what is switched on and may leave are few, and read again.
void chores::follow_documents() {
  const auto seen = on_.store.partitions()->look(cluster::documents_partition);
  if (seen.next == documents_next_) return;
  documents_next_ = seen.next;
  on_.store.lanes().pages.post([on = on_] {
    for (const auto& done : {on.models.follow_documents(), on.tools.follow_documents(),
                             on.store.secrets().vault().load()})
      if (!done) log(log_level::error, "cluster.not_followed", {{"reason", done.error().detail}});
  });
}

// A store that refused a write and is asked for none would stay refusing for all that is known.
void chores::try_store() {
  on_.store.lanes().writes.post([&events = on_.store.events()] {
    (void)events.put_document(storage::node_collection, "tried", std::to_string(now_ms()));
  });
}

}  // namespace soma
