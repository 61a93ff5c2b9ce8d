#include "http/routes/relay.hpp"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "app/cluster.hpp"
#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"
#include "http/routes/door.hpp"

namespace soma::http {

struct owner_relay::parts {
  const app::cluster_node& in;
  const relay_waits waits;
  const std::string key;
  std::vector<std::unique_ptr<node_client>> clients{};  // one an io thread
  std::atomic<std::uint64_t> handed_over{0}, failed{0}, waited{0};
};

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;
constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
// How often it is looked whether there is an owner, or whether enough is read: of each request that
// waits, so that it costs little; what is applied comes some milliseconds after it was written.
constexpr milliseconds owner_poll(25), position_poll(2), position_poll_max(20);
constexpr std::size_t refusal_bytes_max = 2'000;

// What a client's request says to this node alone.
constexpr std::string_view not_handed_over[] = {
    "Authorization",
    "Connection",
    "Content-Length",
    "Cookie",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authorization",
    "Soma-Caller",
    "Soma-Position",
    "TE",
    "Traceparent",
    "Trailer",
    "Upgrade",
    "Transfer-Encoding",
    "X-Internal-Token",
    "X-Request-ID",
    "Forwarded",
    "X-Forwarded-For",
};

bool is_handed_over(std::string_view name) {
  for (const auto one : not_handed_over)
    if (iequals(one, name)) return false;
  return true;
}

asio::awaitable<void> pause(owner_relay::parts& g, const request_context& ctx,
                            milliseconds how_long) {
  asio::steady_timer timer(g.clients[ctx.io_thread]->context());
  timer.expires_after(how_long);
  co_await timer.async_wait(as_tuple);
}

// What was tried and wrote nothing, so that another may be asked.
bool wrote_nothing(const response& answer) {
  if (answer.status != 503 || answer.bytes().size() > refusal_bytes_max) return false;
  const auto body = answer.bytes();
  return body.find("\"cluster.not_owner\"") != std::string_view::npos ||
         body.find("\"cluster.owner_lost\"") != std::string_view::npos;
}

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

std::string traceparent_of(request_context& ctx) {
  std::string span(ctx.caller.parent_span_id);
  if (span.empty()) {
    span = new_uuid();
    std::erase(span, '-');
    span.resize(16);
  }
  return "00-" + std::string(ctx.trace_id()) + "-" + span + "-01";
}

// `method` and `target`: of this request, or of another that is asked for its caller.
handed_over package(owner_relay::parts& g, request_context& ctx, std::string door,
                    std::string method, std::string target) {
  handed_over out;
  out.door = std::move(door);
  out.method = std::move(method);
  out.target = std::move(target);
  relayed_caller who{ctx.caller, ctx.peer.to_string(), g.in.node()};
  out.fields = "X-Request-ID: " + ctx.request_id + "\r\n";
  out.fields += "Traceparent: " + traceparent_of(ctx) + "\r\n";
  out.fields += std::string(relayed_header) + ": " +
                write_relayed(g.key, who, out.method, out.target, ctx.request_id) + "\r\n";
  return out;
}

handed_over package(owner_relay::parts& g, request_context& ctx, std::string door,
                    const std::string& own_key) {
  std::string target(ctx.path);
  if (!ctx.query.empty()) target.append("?").append(ctx.query);
  auto out = package(g, ctx, std::move(door), std::string(to_string(ctx.verb)), std::move(target));
  for (const auto& field : ctx.headers)
    if (is_handed_over(field.name))
      out.fields.append(field.name).append(": ").append(field.value).append("\r\n");
  if (!own_key.empty()) out.fields += "Idempotency-Key: " + own_key + "\r\n";
  out.body = ctx.body;
  out.stream = ctx.stream;
  return out;
}

std::optional<cluster::read_position> position_in(const response& answer) {
  for (const auto& [name, value] : answer.headers)
    if (std::string_view(name) == "Soma-Position") return cluster::parse_read_position(value);
  return std::nullopt;
}

void say_position(response& answer, const app::cluster_node& in, std::uint32_t partition) {
  if (const auto at = in.position(partition))
    answer.headers.put("Soma-Position", cluster::to_string(*at));
}

// False: not within `at_most`.
asio::awaitable<bool> applied(owner_relay::parts& g, const request_context& ctx,
                              cluster::read_position wanted, milliseconds at_most) {
  const auto& in = g.in;
  const auto until = clock::now() + at_most;
  auto wait = position_poll;
  bool there = in.has_applied(wanted);
  while (!there && clock::now() < until) {
    co_await pause(g, ctx, wait);
    wait = std::min(wait * 2, position_poll_max);
    there = in.has_applied(wanted);
  }
  co_return there;
}

error no_owner() {
  return {codes::cluster_no_owner, "no node has taken over what this is about", 1};
}

error not_mine() {
  return {codes::cluster_not_owner, "this node does not own what this is about", 1};
}

error is_behind() {
  return {codes::cluster_behind, "this node has not read as far yet", 1};
}

// The owner, once there is one that is heard; without a door where none came in time.
asio::awaitable<app::cluster_node::owner> find_owner(owner_relay::parts& g,
                                                     const request_context& ctx,
                                                     std::uint32_t partition,
                                                     clock::time_point until) {
  const auto& in = g.in;
  auto owner = in.owner_of(partition);
  if (!owner.here && owner.door.empty()) g.waited.fetch_add(1, std::memory_order_relaxed);
  while (!owner.here && owner.door.empty() && clock::now() < until) {
    co_await pause(g, ctx, owner_poll);
    owner = in.owner_of(partition);
  }
  co_return owner;
}

// One try. None: it wrote nothing, and another may be asked.
struct tried {
  std::optional<response> answer;
  bool unsure = false;  // it may have been carried out
};

asio::awaitable<tried> hand_to(owner_relay::parts& g, request_context& ctx, std::string door,
                               const std::string& own_key) {
  tried out;
  auto what = package(g, ctx, std::move(door), own_key);
  what.secret = app::operation_named(ctx.operation_id).secret;
  auto back = co_await g.clients[ctx.io_thread]->ask(std::move(what));
  g.handed_over.fetch_add(1, std::memory_order_relaxed);
  if (!back.body_failed.code.empty()) {
    out.answer = problem(back.body_failed, ctx);
    out.answer->close = true;
  } else if (back.how == hand_over::answered) {
    if (!wrote_nothing(back.answer)) out.answer = std::move(back.answer);
  } else {
    g.failed.fetch_add(1, std::memory_order_relaxed);
    out.unsure = back.how == hand_over::unknown;
  }
  co_return out;
}

// At the partition's owner, whoever that comes to be.
asio::awaitable<response> carried_out(owner_relay::parts& g, request_context& ctx,
                                      const app::operation& what, const handler& run,
                                      std::uint32_t partition, std::string key,
                                      std::string own_key) {
  const auto& in = g.in;
  const auto until = clock::now() + g.waits.takeover;
  for (bool again = false;; again = true) {
    if (again) co_await pause(g, ctx, owner_poll);
    // Who hands it over waits, so this node need not.
    const auto wait_until = ctx.of_node ? clock::now() : until;
    const auto owner = co_await find_owner(g, ctx, partition, wait_until);
    if (owner.here) {
      response answer = co_await run(ctx);
      if (wrote_nothing(answer) && !ctx.of_node && !ctx.stream && clock::now() < until) continue;
      if (answer.status < 400) say_position(answer, in, partition);
      co_return answer;
    }
    if (ctx.of_node) co_return problem(not_mine(), ctx);
    if (owner.door.empty()) co_return problem(no_owner(), ctx);
    // A key of this node's own makes it safe to ask the next owner where the last one died over it.
    if (key.empty() && what.keyed != app::keyed::no && own_key.empty() && !ctx.stream)
      own_key = key_of_node();
    auto one = co_await hand_to(g, ctx, owner.door, own_key);
    if (one.answer) {
      if (const auto at = position_in(*one.answer)) co_await applied(g, ctx, *at, g.waits.read);
      co_return std::move(*one.answer);
    }
    const bool can_repeat = !ctx.stream && (!one.unsure || !own_key.empty() || !key.empty());
    if (can_repeat && clock::now() < until) continue;
    if (one.unsure)
      co_return problem(error(codes::cluster_timeout,
                              "the node that carried it out is lost: whether it was done is not "
                              "known",
                              1),
                        ctx);
    auto answer = problem(no_owner(), ctx);
    answer.close = ctx.stream != nullptr;
    co_return answer;
  }
}

// How far the owner of the session's partition had read it when it was asked: the place that what
// was told to anybody is before. None: it could not be asked in time.
asio::awaitable<std::optional<cluster::read_position>> position_of_owner(owner_relay::parts& g,
                                                                         request_context& ctx,
                                                                         std::uint32_t partition,
                                                                         session_id session) {
  const auto until = clock::now() + g.waits.takeover;
  const auto& in = g.in;
  while (clock::now() < until) {
    const auto owner = co_await find_owner(g, ctx, partition, until);
    if (owner.here) co_return in.position(partition);
    if (owner.door.empty()) break;
    auto what = package(g, ctx, owner.door, "GET", "/v1/sessions/" + session.value);
    auto back = co_await g.clients[ctx.io_thread]->ask(std::move(what));
    if (back.how == hand_over::answered)
      if (const auto at = position_in(back.answer)) co_return at;
    co_await pause(g, ctx, owner_poll);
  }
  co_return std::nullopt;
}

// An EventSource gives up on any status but 200, and comes again after a stream that ended.
response come_again() {
  response answer;
  answer.content_type = "text/event-stream";
  answer.body = "retry: 1000\n\n: this node has not read as far yet\n\n";
  answer.close = true;
  return answer;
}

// Whether it asks to go on after an event.
bool goes_on(const request_context& ctx) {
  if (ctx.has_header("Last-Event-ID")) return true;
  const auto at = ctx.query.find("after=");
  if (at == std::string_view::npos) return false;
  const auto value = ctx.query.substr(at + 6);
  return !value.starts_with("start") && !value.starts_with("end");
}

bool is_plain_id(const session_id& id) {
  return !id.empty() && id.value.size() <= 64 &&
         id.value.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
}

// What is only read, from what is applied here.
asio::awaitable<response> looked_up(owner_relay::parts& g, request_context& ctx,
                                    const app::operation& what, const handler& run) {
  const auto& in = g.in;
  if (const auto said = cluster::parse_read_position(ctx.header("Soma-Position"))) {
    const bool there = co_await applied(g, ctx, *said, g.waits.read);
    if (!there) co_return problem(is_behind(), ctx);
  }
  const auto session = session_in(what, ctx);
  if (!is_plain_id(session)) co_return co_await run(ctx);
  const auto partition = in.partition_of(session_key{ctx.caller.tenant, session});
  // Its owner's answer is passed on, a stream's as it comes.
  if (!ctx.of_node && !in.follows(partition)) {
    auto key = key_in(what, ctx);
    std::string no_key;
    co_return co_await carried_out(g, ctx, what, run, partition, std::move(key), std::move(no_key));
  }
  const bool is_stream = what.answer == app::answer::stream;
  bool asked = false, here = in.owner_of(partition).here;
  if (is_stream && goes_on(ctx) && !here && !ctx.of_node) {
    const auto at = co_await position_of_owner(g, ctx, partition, session);
    asked = at.has_value();
    if (asked) asked = co_await applied(g, ctx, *at, g.waits.read);
    if (!asked) co_return come_again();
  }
  response answer = co_await run(ctx);
  here = in.owner_of(partition).here;
  if (answer.status == 404 && !here && !asked && !ctx.of_node) {
    const auto at = co_await position_of_owner(g, ctx, partition, session);
    if (!at) co_return problem(no_owner(), ctx);
    const bool there = co_await applied(g, ctx, *at, g.waits.read);
    if (!there) co_return problem(is_behind(), ctx);
    answer = co_await run(ctx);
  }
  // Also with what is not there: who asked waits for it, and looks again.
  say_position(answer, in, partition);
  co_return answer;
}

// A file is where it was taken in, whoever owns its tenant by now. `mine`: what was found here.
asio::awaitable<response> from_who_has_it(owner_relay::parts& g, request_context& ctx,
                                          response mine) {
  const std::string no_key;
  for (const auto& node : g.in.others()) {
    const auto door = g.in.door_of(node);
    if (!door) continue;
    auto one = co_await hand_to(g, ctx, *door, no_key);
    if (one.answer && one.answer->status < 400) co_return std::move(*one.answer);
  }
  co_return mine;
}

bool is_missing(const response& answer) {
  return answer.status == 404 || answer.status >= 500;
}

asio::awaitable<response> run_placed(owner_relay::parts& g, request_context& ctx,
                                     const app::operation& what, const handler& run) {
  const auto& in = g.in;
  if (ctx.caller.role == app::role::anonymous) co_return co_await run(ctx);
  auto key = key_in(what, ctx);
  std::string own_key;
  const auto session = session_in(what, ctx);
  auto partition = app::partition_for(in, what, ctx.caller, session, key);
  // Where a key says which partition, the owner has to come to the same one: by this node's key.
  if (partition && key.empty() && !ctx.of_node && app::draws_its_partition(what, session) &&
      !in.owner_of(*partition).here) {
    own_key = key_of_node();
    partition = app::partition_for(in, what, ctx.caller, session, own_key);
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
  const auto door = g.in.door_of(node);
  if (!door)
    co_return problem(
        error(codes::cluster_node_unknown, "no node of that name is heard in the cluster"), ctx);
  const std::string no_key;
  auto one = co_await hand_to(g, ctx, *door, no_key);
  if (one.answer) co_return std::move(*one.answer);
  co_return problem(error(codes::cluster_timeout, "the node did not answer", 1), ctx);
}

}  // namespace

owner_relay::owner_relay(const app::cluster_node& in, relay_waits waits, std::string key)
    : parts_(new parts{in, waits, std::move(key)}) {}

owner_relay::~owner_relay() = default;

void owner_relay::add_thread(asio::io_context& io, node_client_options options) {
  parts_->clients.push_back(std::make_unique<node_client>(io, std::move(options)));
}

void owner_relay::stop() {
  for (auto& one : parts_->clients) one->stop();
}

owner_relay::counts owner_relay::counted() const {
  return {parts_->handed_over.load(), parts_->failed.load(), parts_->waited.load()};
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
