// What use cases stand on: one a process, shared by all io threads.
//
// Threads: the members are thread-safe or belong to one io thread each (bridges, model clients:
// indexed by caller::io_thread). Lifetime: made by the node, outlives every door.
#pragma once

#include <array>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actors/node.hpp"
#include "app/actor_bridge.hpp"
#include "app/caller.hpp"
#include "app/idempotency.hpp"
#include "app/identity_watches.hpp"
#include "app/imports_under_way.hpp"
#include "app/lanes.hpp"
#include "app/pipeline.hpp"
#include "core/config.hpp"
#include "core/session_feed.hpp"
#include "core/tenant_places.hpp"

namespace soma::security {
class authenticator;
class browser_sessions;
class key_store;
class sign_in_token;
class tenant_keys;
class ticket_office;
class user_store;
}  // namespace soma::security

namespace soma::memory {
class knowledge;
class memories;
}  // namespace soma::memory

namespace soma::backup {
class backup_keeper;
}

namespace soma::models {
class llm_gateway;
struct io_llm_client;
}  // namespace soma::models

namespace soma::app {

class door_board;
class node_vitals;
struct tool_gateway;
struct file_services;
class tenant_notices;
struct outgoing;
struct provider_sign_in;
class cluster_node;

// Tenants' actors as each io thread last saw them, so that not every request asks the registry. An
// io thread touches only its own.
class tenant_handles {
 public:
  static constexpr std::size_t max = 1024;  // a thread

  actors::tenant_actor find(std::size_t io_thread, const tenant_id& id) const {
    const auto& mine = threads_[io_thread];
    const auto at = mine.find(id);
    return at == mine.end() ? actors::tenant_actor() : at->second;
  }
  void keep(std::size_t io_thread, const tenant_id& id, const actors::tenant_actor& tenant) {
    auto& mine = threads_[io_thread];
    if (mine.size() >= max) mine.clear();
    mine.insert_or_assign(id, tenant);
  }
  void forget(std::size_t io_thread, const tenant_id& id) { threads_[io_thread].erase(id); }

 private:
  std::array<std::map<tenant_id, actors::tenant_actor>, feed_threads_max> threads_;
};

// What services stand on.
struct services_needs {
  const config& settings;
  actors::node_services& node;
  actors::tenant_registry_actor tenants;
  store_lanes& lanes;
  security::authenticator& identities;
  security::key_store& keys;
  security::browser_sessions& browsers;
  security::sign_in_token& sign_in;
  const security::ticket_office& tickets;
  models::llm_gateway& llm;
  tool_gateway& tools;
  file_services& files;
  const node_vitals& vitals;
  tenant_notices& notices;
  memory::memories& memories;
  memory::knowledge& knowledge;
  outgoing& out;
  fact_table& known_facts;
  security::user_store& users;
  backup::backup_keeper& backups;
  provider_sign_in* provider = nullptr;  // null: nobody signs in by an OpenID provider
  cluster_node* cluster = nullptr;       // null: this node is alone
  const security::tenant_keys* tenant_keys = nullptr;  // null: no tenant was ever erased
  const door_board* doors = nullptr;                   // null: there are none to Kafka
};

class services : public services_needs {
 public:
  explicit services(const services_needs& needs);
  ~services();
  services(const services&) = delete;

  lane& pool;  // the quick lane
  session_facts facts;
  app::pipeline pipeline;
  idempotency_gate idempotency;
  identity_watches watches;
  std::vector<std::unique_ptr<actor_bridge>> bridges;               // one an io thread
  std::vector<std::unique_ptr<models::io_llm_client>> llm_clients;  // one an io thread
  tenant_handles known_tenants;
  // Pages of raw events that are being made, each can be large. What is made and waits for its
  // reader counts among the bodies of the server.
  tenant_places event_pages{16, 32};
  // Histories and exports under way, until they are read: each holds a piece of what is sent and,
  // of a history, what of a turn cannot be told yet, some megabytes at most.
  tenant_places histories{16, 32}, exports{32, 64};
  tenant_places document_removals{1, 2};  // each holds a thread of uploads
  tenant_places contexts{4, 8};           // of models, being made: each as large as its window
  tenant_places long_work{store_lanes::longer_max / 2};   // see on_longer.hpp
  tenant_places write_work{store_lanes::writes_max / 2};  // see on_writes.hpp
  imports_under_way imports;

  // Asks the tenant's actor. Errors: those of the answer, or server.busy.
  template <class Answer, class Request>
  boost::asio::awaitable<result<Answer>> ask_tenant(const caller& who, Request request) {
    auto& bridge = *bridges[who.io_thread];
    const auto thread = who.io_thread;
    const auto id = who.tenant;
    auto tenant = known_tenants.find(thread, id);
    if (!tenant) {
      actors::tenant_request wanted;
      wanted.tenant = id;
      auto found = co_await bridge.ask<actors::tenant_found>(tenants, wanted);
      if (!found) co_return found.error();
      tenant = found->tenant;
      known_tenants.keep(thread, id, tenant);
    }
    auto answer = co_await bridge.ask<Answer>(tenant, std::move(request));
    // Perhaps the tenant's actor is gone: the next request asks for it again.
    if (!answer) known_tenants.forget(thread, id);
    co_return answer;
  }

  // Sends a command to a session. `gate` carries the idempotency record to be kept with it; where
  // another was quicker with the key, its answer is taken, and `gate` has the replay.
  boost::asio::awaitable<result<command_reply>> command(const admitted& in,
                                                        const session_id& session,
                                                        input::command what,
                                                        idempotency_gate::entry* gate = {});

  // The head, read on the quick lane. Errors: session.not_found, also for what cannot be an id.
  boost::asio::awaitable<result<storage::session_head>> head(const session_key& key);
};

// A UUID that follows from its parts: the same parts, the same id.
std::string derived_uuid(std::initializer_list<std::string_view> parts);

}  // namespace soma::app
