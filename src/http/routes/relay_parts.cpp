#include "http/routes/relay_parts.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "cluster/placement.hpp"
#include "core/codes.hpp"
#include "core/uuid.hpp"
#include "http/net/ascii.hpp"
#include "http/net/problem.hpp"
#include "http/net/relayed_caller.hpp"
#include "http/routes/door.hpp"
#include "security/digest.hpp"

namespace soma::http::relaying {
namespace {

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t refusal_bytes_max = 2'000;

// What a client's request says to whoever carries it out. All else is said to this node alone: it
// authenticates, it knows how the client reached it, and it speaks to the owner for itself.
constexpr std::string_view handed_on[] = {
    "Accept",        "Accept-Encoding", "Content-Type",  "Idempotency-Key", "If-Match",
    "If-None-Match", "If-Range",        "Last-Event-ID", "Range",
};

// A sign-in is judged, and written, by its owner: by what the browser keeps.
bool is_handed_on(std::string_view name, const app::operation& what) {
  for (const auto one : handed_on)
    if (iequals(one, name)) return true;
  return what.access == app::access::anyone && iequals(name, "Cookie");
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

// What only this node may say for itself.
std::string fields_of(owner_relay::parts& g, request_context& ctx, const handed_over& what,
                      relayed_caller who, const std::string& to) {
  who.node = g.in.node();
  who.at_ms = g.in.time_at(to);
  if (!what.stream) who.body_sha256 = security::bytes_of(security::sha256(what.body));
  std::string out = "X-Request-ID: " + ctx.request_id + "\r\n";
  out += "Traceparent: " + traceparent_of(ctx) + "\r\n";
  out += std::string(relayed_header) + ": " +
         write_relayed(g.key, who, what.method, what.target, ctx.request_id) + "\r\n";
  return out;
}

handed_over package(owner_relay::parts& g, request_context& ctx, const app::cluster_node::owner& to,
                    const std::string& own_key) {
  handed_over out;
  out.door = to.door;
  out.method = to_string(ctx.verb);
  out.target = ctx.path;
  if (!ctx.query.empty()) out.target.append("?").append(ctx.query);
  out.body = ctx.body;
  out.stream = ctx.stream;
  out.fields = fields_of(g, ctx, out, {ctx.caller, ctx.peer.to_string(), {}}, to.node);
  out.lives = [&in = g.in, to] { return in.door_of(to.node) == to.door; };
  const auto& what = app::operation_named(ctx.operation_id);
  out.secret = what.secret;
  for (const auto& field : ctx.headers)
    if (is_handed_on(field.name, what))
      out.fields.append(field.name).append(": ").append(field.value).append("\r\n");
  if (!own_key.empty()) out.fields += "Idempotency-Key: " + own_key + "\r\n";
  // What its client has seen, and what this node has told others of documents: a profile that was
  // written here a moment ago is the one by which the owner goes.
  std::string seen;
  const auto add = [&](const cluster::read_position& at) {
    seen.append(seen.empty() ? "" : ", ").append(cluster::to_string(at));
  };
  for (const auto& at : positions_in(ctx)) add(at);
  if (const auto documents = g.in.position(cluster::documents_partition)) add(*documents);
  if (!seen.empty()) out.fields += "Soma-Position: " + seen + "\r\n";
  return out;
}

// "?7": how far have you read partition 7?
constexpr char asks_how_far = '?';

asio::awaitable<std::optional<cluster::read_position>> ask_owner(owner_relay::parts& g,
                                                                 request_context& ctx,
                                                                 std::uint32_t partition,
                                                                 clock::time_point until) {
  const auto owner = co_await find_owner(g, ctx, partition, false, until);
  if (owner.is_here) co_return g.in.position(partition);
  if (owner.who.door.empty()) co_return std::nullopt;
  handed_over what;
  what.door = owner.who.door;
  what.method = "GET";
  what.target = "/v1/sessions";
  // Of nobody in particular: it is asked for all who wait, and says nothing of anybody.
  relayed_caller nobody;
  nobody.who.user = user_id("node");
  nobody.who.role = app::role::user;
  what.fields = fields_of(g, ctx, what, std::move(nobody), owner.who.node);
  what.lives = [&in = g.in, to = owner.who] { return in.door_of(to.node) == to.door; };
  what.fields += std::string("Soma-Position: ") + asks_how_far + std::to_string(partition) + "\r\n";
  g.asked.fetch_add(1, std::memory_order_relaxed);
  auto back = co_await g.threads[ctx.io_thread].client->ask(std::move(what));
  if (back.how != hand_over::answered) co_return std::nullopt;
  co_return position_in(back.answer);
}

// Also where the coroutine is destroyed over it.
struct under_way {
  owner_relay::parts::question& of;
  const std::uint64_t number;
  explicit under_way(owner_relay::parts::question& q) : of(q), number(++q.begun) {
    of.under_way = true;
  }
  ~under_way() {
    of.under_way = false;
    of.ended = number;
  }
};

}  // namespace

error no_owner() {
  return {codes::cluster_no_owner, "no node has taken over what this is about", 1};
}

error not_mine() {
  return {codes::cluster_not_owner, "this node does not own what this is about", 1};
}

error is_behind() {
  return {codes::cluster_behind, "this node has not read as far yet", 1};
}

asio::awaitable<void> pause(owner_relay::parts& g, const request_context& ctx, milliseconds wait) {
  asio::steady_timer timer(g.threads[ctx.io_thread].client->context());
  timer.expires_after(wait);
  co_await timer.async_wait(as_tuple);
}

asio::awaitable<found_owner> find_owner(owner_relay::parts& g, const request_context& ctx,
                                        std::uint32_t partition, bool at_once,
                                        clock::time_point until) {
  found_owner out;
  const auto look = [&] {
    out.who = g.in.owner_of(partition);
    out.is_here = out.who.here || (at_once && out.who.is_next);
    if (out.is_here || out.who.is_next) return out.is_here;
    return ctx.of_node || !out.who.door.empty();
  };
  bool found = look();
  if (found || clock::now() >= until) co_return out;
  g.waited.fetch_add(1, std::memory_order_relaxed);
  struct place {
    std::atomic<std::size_t>& taken;
    const std::size_t number;
    explicit place(std::atomic<std::size_t>& of) : taken(of), number(++of) {}
    ~place() { --taken; }
  };
  const place mine(g.waiting);
  while (!found && mine.number <= waiting_max && clock::now() < until) {
    co_await pause(g, ctx, owner_poll);
    found = look();
  }
  co_return out;
}

bool is_undone(const response& answer) {
  if (answer.status != 503 || answer.bytes().size() > refusal_bytes_max) return false;
  const auto body = answer.bytes();
  return body.find("\"cluster.not_owner\"") != std::string_view::npos ||
         body.find("\"cluster.owner_lost\"") != std::string_view::npos;
}

asio::awaitable<tried> hand_to(owner_relay::parts& g, request_context& ctx,
                               app::cluster_node::owner to, const std::string& own_key) {
  tried out;
  auto what = package(g, ctx, to, own_key);
  auto back = co_await g.threads[ctx.io_thread].client->ask(std::move(what));
  g.handed_over.fetch_add(1, std::memory_order_relaxed);
  if (!back.body_failed.code.empty()) {
    out.how = outcome::answered;
    out.answer = problem(back.body_failed, ctx);
    out.answer.close = true;
    co_return out;
  }
  if (back.how != hand_over::answered) {
    g.failed.fetch_add(1, std::memory_order_relaxed);
    out.how = back.how == hand_over::unknown ? outcome::unsure : outcome::refused;
    co_return out;
  }
  for (const auto& [name, value] : back.answer.headers)
    if (std::string_view(name) == std::string_view(not_begun_header)) co_return out;
  out.how = is_undone(back.answer) ? outcome::undone : outcome::answered;
  out.answer = std::move(back.answer);
  co_return out;
}

// ---- how far ----

std::vector<cluster::read_position> positions_in(const request_context& ctx) {
  std::vector<cluster::read_position> out;
  auto left = ctx.header("Soma-Position");
  while (!left.empty() && out.size() < positions_max) {
    const auto comma = left.find(',');
    if (const auto at = cluster::parse_read_position(trim(left.substr(0, comma))))
      out.push_back(*at);
    left.remove_prefix(comma == std::string_view::npos ? left.size() : comma + 1);
  }
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

asio::awaitable<bool> applied_what_it_names(owner_relay::parts& g, const request_context& ctx) {
  const auto until = clock::now() + g.waits.read;
  const auto all = positions_in(ctx);
  for (const auto& one : all) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - clock::now());
    const bool there = co_await applied(g, ctx, one, left);
    if (!there) co_return false;
  }
  co_return true;
}

asio::awaitable<std::optional<cluster::read_position>> position_of_owner(owner_relay::parts& g,
                                                                         request_context& ctx,
                                                                         std::uint32_t partition) {
  const auto until = clock::now() + g.waits.takeover;
  auto& question = g.threads[ctx.io_thread].questions[partition];
  // One that is under way may have been answered already, with less than was told to somebody
  // since.
  const auto mine = question.begun + 1;
  auto wait = position_poll;
  while (clock::now() < until) {
    if (question.ended >= mine && question.answer) co_return question.answer;
    if (question.under_way || clock::now() < question.not_before) {
      co_await pause(g, ctx, wait);
      wait = std::min(wait * 2, position_poll_max);
      continue;
    }
    {
      const under_way asks(question);
      question.answer = co_await ask_owner(g, ctx, partition, until);
    }
    if (question.answer) co_return question.answer;
    question.not_before = clock::now() + owner_poll;
  }
  co_return std::nullopt;
}

std::optional<response> answer_to_question(owner_relay::parts& g, const request_context& ctx) {
  const auto asked = ctx.header("Soma-Position");
  if (!ctx.of_node || asked.empty() || asked.front() != asks_how_far) return std::nullopt;
  std::uint32_t partition = 0;
  const auto* end = asked.data() + asked.size();
  const auto [at, ec] = std::from_chars(asked.data() + 1, end, partition);
  const bool good = ec == std::errc() && at == end && partition < g.in.host().partitions();
  // Who may have lost it without knowing does not know what was told to others since.
  if (!good || !g.in.owner_of(partition).here) return problem(not_mine(), ctx);
  response out(204);
  say_position(out, g.in, partition);
  return out;
}

}  // namespace soma::http::relaying
