#include "http/routes/relay.hpp"

#include "cluster/placement.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/uuid.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"
#include "http/routes/door.hpp"
#include "http/routes/relay_parts.hpp"

namespace soma::http {

namespace {

using namespace relaying;

// Keys that this node gives a request that has none, until one stands for a partition that somebody
// owns.
constexpr int keys_drawn_max = 256;

session_id session_in(const app::operation& what, request_context& ctx) {
  if (what.resource.ends_with(":session_id") || app::names_a_session(what))
    return session_id(resource_of(what, ctx));
  return {};
}

std::string key_in(const app::operation& what, const request_context& ctx) {
  if (what.keyed == app::keyed::no) return {};
  const auto header = ctx.header("Idempotency-Key");
  if (!header.empty()) return std::string(header);
  const auto* body = ctx.json.if_object();
  return body ? text_of(*body, "idempotency_key") : std::string();
}

std::string key_of_node() {
  return "node-" + new_uuid();
}

// Nothing was done, and whoever asked may ask another.
response refused_at_the_door(const request_context& ctx) {
  auto answer = problem(not_mine(), ctx);
  answer.headers.emplace_back(not_begun_header, "1");
  return answer;
}

error lost() {
  return {codes::cluster_timeout,
          "the node that carried it out is lost: whether it was done is not known", 1};
}

// At the partition's owner, whoever that comes to be.
asio::awaitable<response> carried_out(owner_relay::parts& g, request_context& ctx,
                                      const app::operation& what, const handler& run,
                                      std::uint32_t partition, std::string key,
                                      std::string own_key) {
  const auto until = clock::now() + g.waits.takeover;
  const bool is_keyed = what.keyed != app::keyed::no;
  // An append needs no lease. What may not be done again is not tried on a chance.
  const bool at_once = what.owner == app::owner::tenant && is_keyed && !ctx.stream;
  auto wait = again_first;
  for (bool again = false;; again = true) {
    if (again) {
      co_await pause(g, ctx, wait);
      wait = std::min(wait * 2, again_max);
    }
    const auto owner = co_await find_owner(g, ctx, partition, at_once, until);
    const bool has_time = clock::now() < until;
    if (owner.is_here) {
      const bool there = co_await applied_what_it_names(g, ctx);
      if (!there) co_return problem(is_behind(), ctx);
      response answer = co_await run(ctx);
      // Only what is known again by its key is done again: of others the first of several writes
      // may be there.
      const bool again_here = is_keyed && !ctx.of_node && !ctx.stream && has_time;
      if (again_here && is_undone(answer)) continue;
      if (answer.status < 400) say_position(answer, g.in, partition);
      co_return answer;
    }
    if (ctx.of_node) co_return refused_at_the_door(ctx);
    if (owner.who.door.empty()) co_return problem(no_owner(), ctx);
    // A key of this node's own makes it safe to ask the next owner where the last one died over it.
    if (key.empty() && is_keyed && own_key.empty() && !ctx.stream) own_key = key_of_node();
    auto one = co_await hand_to(g, ctx, owner.who, own_key);
    if (one.how == outcome::answered) {
      if (const auto at = position_in(one.answer)) co_await applied(g, ctx, *at, g.waits.read);
      co_return std::move(one.answer);
    }
    const bool has_key = !own_key.empty() || !key.empty();
    const bool can_repeat = !ctx.stream && (one.how == outcome::refused || has_key);
    if (can_repeat && has_time) continue;
    if (one.how == outcome::undone) co_return std::move(one.answer);
    auto answer = problem(one.how == outcome::unsure ? lost() : no_owner(), ctx);
    answer.close = ctx.stream != nullptr;
    co_return answer;
  }
}

// An EventSource gives up on any status but 200, and comes again after a stream that ended.
response come_again() {
  response answer;
  answer.content_type = "text/event-stream";
  answer.body = "retry: 1000\n\n: this node has not read as far yet\n\n";
  answer.close = true;
  return answer;
}

bool is_sse(const app::operation& what) {
  return what.id == "stream_events" || what.id == "stream_tenant";
}

bool is_about_the_cluster(const response& answer) {
  return answer.status == 503 && answer.bytes().find("\"cluster.") != std::string_view::npos;
}

// Whether it asks to go on after an event.
bool goes_on(const request_context& ctx) {
  if (ctx.has_header("Last-Event-ID")) return true;
  constexpr std::string_view name = "after=";
  auto left = ctx.query;
  while (!left.empty()) {
    const auto one = left.substr(0, left.find('&'));
    left.remove_prefix(std::min(left.size(), one.size() + 1));
    if (!one.starts_with(name)) continue;
    const auto value = one.substr(name.size());
    return value != "start" && value != "end";
  }
  return false;
}

bool is_plain_id(const session_id& id) {
  return !id.empty() && id.value.size() <= 64 &&
         id.value.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
}

// What this node has read is at least what anybody was told when this was called. False: it could
// not be known in time.
asio::awaitable<std::optional<error>> catches_up(owner_relay::parts& g, request_context& ctx,
                                                 std::uint32_t partition) {
  const auto at = co_await position_of_owner(g, ctx, partition);
  if (!at) co_return no_owner();
  const bool there = co_await applied(g, ctx, *at, g.waits.read);
  if (!there) co_return is_behind();
  co_return std::nullopt;
}

// What is only read, from what is applied here.
asio::awaitable<response> read_here(owner_relay::parts& g, request_context& ctx,
                                    const app::operation& what, const handler& run) {
  const auto& in = g.in;
  const bool read_so_far = co_await applied_what_it_names(g, ctx);
  if (!read_so_far) co_return problem(is_behind(), ctx);
  const auto session = session_in(what, ctx);
  const bool of_session = is_plain_id(session);
  // What is of no session is in one partition, whoever's it is.
  const auto partition = of_session ? in.partition_of(session_key{ctx.caller.tenant, session})
                                    : cluster::documents_partition;
  // Its owner's answer is passed on, a stream's as it comes.
  if (of_session && !ctx.of_node && !in.follows(partition)) {
    auto key = key_in(what, ctx);
    std::string no_key;
    co_return co_await carried_out(g, ctx, what, run, partition, std::move(key), std::move(no_key));
  }
  // Only an owner within its lease knows that nobody was told more than it has read.
  const auto knows_all = [&] { return ctx.of_node || in.owner_of(partition).here; };
  bool asked = false;
  if (what.answer == app::answer::stream && of_session && goes_on(ctx) && !knows_all()) {
    const auto behind = co_await catches_up(g, ctx, partition);
    if (behind) co_return problem(*behind, ctx);
    asked = true;
  }
  response answer = co_await run(ctx);
  if (answer.status == 404 && !asked && !ctx.stream && !knows_all()) {
    const auto behind = co_await catches_up(g, ctx, partition);
    if (behind) co_return problem(*behind, ctx);
    answer = co_await run(ctx);
  }
  // Also with what is not there: who asked waits for it, and looks again.
  if (of_session || !what.action.empty()) say_position(answer, in, partition);
  co_return answer;
}

asio::awaitable<response> looked_up(owner_relay::parts& g, request_context& ctx,
                                    const app::operation& what, const handler& run) {
  response answer = co_await read_here(g, ctx, what, run);
  if (is_sse(what) && !ctx.of_node && is_about_the_cluster(answer)) co_return come_again();
  co_return answer;
}

// A file is where it was taken in, whoever owns its tenant by now. `mine`: what was found here.
asio::awaitable<response> from_who_has_it(owner_relay::parts& g, request_context& ctx,
                                          response mine) {
  const std::string no_key;
  for (const auto& node : g.in.others()) {
    app::cluster_node::owner other;
    other.node = node;
    other.door = g.in.door_of(node).value_or("");
    if (other.door.empty()) continue;
    auto one = co_await hand_to(g, ctx, std::move(other), no_key);
    if (one.how == outcome::answered && one.answer.status < 400) co_return std::move(one.answer);
  }
  co_return mine;
}

bool is_missing(const response& answer) {
  return answer.status == 404 || answer.status >= 500;
}

// Whoever is known by a key or a cookie that this node might not know to be revoked. Who has a
// secret of the configuration, and who is nobody, is not asked for in documents.
bool is_known_by_documents(const request_context& ctx, const app::operation& what) {
  const auto role = ctx.caller.role;
  if (what.access != app::access::user && what.access != app::access::admin) return false;
  return role == app::role::user || role == app::role::admin;
}

asio::awaitable<response> run_placed(owner_relay::parts& g, request_context& ctx,
                                     const app::operation& what, const handler& run) {
  const auto& in = g.in;
  if (ctx.of_node && !is_of_body(ctx.header(relayed_header), ctx.body, ctx.stream != nullptr))
    co_return problem(error(codes::auth_invalid, "it was signed over another body"), ctx);
  if (auto told = answer_to_question(g, ctx)) co_return std::move(*told);
  if (what.owner == app::owner::node && ctx.caller.role == app::role::anonymous)
    co_return co_await run(ctx);
  if (!ctx.of_node && is_known_by_documents(ctx, what) && !in.knows_keys()) {
    if (is_sse(what)) co_return come_again();
    co_return problem(is_behind(), ctx);
  }
  auto key = key_in(what, ctx);
  std::string own_key;
  const auto session = session_in(what, ctx);
  auto partition = app::partition_for(in, what, ctx.caller, session, key);
  // Where a key says which partition, the owner has to come to the same one: by this node's key.
  if (partition && key.empty() && !ctx.of_node && app::draws_its_partition(what, session) &&
      !in.owner_of(*partition).here) {
    for (int i = 0; i < keys_drawn_max; ++i) {
      own_key = key_of_node();
      partition = app::partition_for(in, what, ctx.caller, session, own_key);
      const auto owner = in.owner_of(*partition);
      if (owner.here || !owner.door.empty()) break;
    }
  }
  if (partition)
    co_return co_await carried_out(g, ctx, what, run, *partition, std::move(key),
                                   std::move(own_key));
  response answer = co_await looked_up(g, ctx, what, run);
  const bool is_file = what.action == "attachment.read" && what.answer == app::answer::file;
  if (!is_file || ctx.of_node || !is_missing(answer)) co_return answer;
  co_return co_await from_who_has_it(g, ctx, std::move(answer));
}

asio::awaitable<response> ask_node(owner_relay::parts& g, request_context& ctx, std::string node) {
  app::cluster_node::owner to;
  to.node = node;
  to.door = g.in.door_of(node).value_or("");
  if (to.door.empty())
    co_return problem(
        error(codes::cluster_node_unknown, "no node of that name is heard in the cluster"), ctx);
  const std::string no_key;
  auto one = co_await hand_to(g, ctx, std::move(to), no_key);
  if (one.how == outcome::answered) co_return std::move(one.answer);
  co_return problem(error(codes::cluster_timeout, "the node did not answer", 1), ctx);
}

}  // namespace

owner_relay::owner_relay(const app::cluster_node& in, relay_waits waits, std::string key)
    : parts_(new parts{in, waits, std::move(key)}) {}

owner_relay::~owner_relay() = default;

void owner_relay::add_thread(asio::io_context& io, node_client_options options) {
  parts_->threads.push_back({std::make_unique<node_client>(io, std::move(options))});
}

void owner_relay::stop() {
  for (auto& one : parts_->threads) one.client->stop();
}

owner_relay::counts owner_relay::counted() const {
  return {parts_->handed_over.load(), parts_->failed.load(), parts_->waited.load(),
          parts_->asked.load()};
}

handler owner_relay::at_owner(const app::operation& what, handler run) {
  return [&g = *parts_, &what, run = std::move(run)](request_context& ctx) {
    return run_placed(g, ctx, what, run);
  };
}

asio::awaitable<response> owner_relay::at_node(request_context& ctx, std::string node) {
  return ask_node(*parts_, ctx, std::move(node));
}

}  // namespace soma::http
