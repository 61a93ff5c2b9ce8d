#include "http/net/request_authenticator.hpp"

#include "app/authentication.hpp"
#include "core/codes.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "http/net/relayed_caller.hpp"
#include "security/digest.hpp"

namespace soma::http {
namespace {

// A ticket is base64url, so it stands in the query as it is.
std::string_view ticket_in(std::string_view query) {
  constexpr std::string_view name = "ticket=";
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto one = query.substr(0, end);
    if (one.starts_with(name)) return one.substr(name.size());
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
  }
  return {};
}

app::brought_proof proof_of(const request_context& ctx) {
  app::brought_proof b;
  b.authorization = ctx.header("authorization");
  b.cookie = ctx.header("cookie");
  if (ctx.operation_id == "stream_events") {
    b.ticket = ticket_in(ctx.query);
    b.session = session_id(std::string(ctx.path_parameter("id")));
  }
  b.peer = ctx.peer.to_string();
  return b;
}

bool is_token(const secret_string& token, std::string_view given) {
  return !given.empty() && !token.empty() && security::constant_time_equal(token.reveal(), given);
}

// Nodes and tools of the same deployment: known by what they share, and nobody in particular. On
// routes that are theirs alone they say for which tenant they ask.
result<app::caller> internal_identity(const request_context& ctx, app::access rule,
                                      const secret_string& token) {
  const auto given = ctx.header("x-internal-token");
  if (given.empty() || token.empty())
    return error(codes::auth_required, "this route is internal: it asks for X-Internal-Token");
  if (!is_token(token, given)) return error(codes::auth_invalid, "the internal token is another");
  app::caller seen;
  seen.role = app::role::internal;
  seen.user = user_id("internal");  // as rules of policy may name it
  if (rule != app::access::internal) return seen;
  seen.tenant = tenant_id(std::string(ctx.header("X-Tenant-ID")));
  if (seen.tenant.empty())
    return error(codes::request_invalid_parameter, "X-Tenant-ID says whose it is")
        .about("X-Tenant-ID");
  return seen;
}

}  // namespace

boost::asio::awaitable<result<app::caller>> request_authenticator::authenticate(
    const request_context& ctx, app::access rule) {
  if (rule == app::access::internal ||
      (rule == app::access::operation && !ctx.header("x-internal-token").empty())) {
    auto seen = internal_identity(ctx, rule, internal_token_);
    if (seen.has_error() && seen.error().code == codes::auth_invalid) {
      // Guesses at it count with the others of that address.
      const auto counted = identities_.attempt(ctx.peer.to_string(), [] { return false; });
      if (counted.error().code == codes::quota_exceeded) co_return counted.error();
    }
    co_return seen;
  }
  auto given = proof_of(ctx);
  co_return co_await app::authenticate(identities_, pool_, std::move(given));
}

bool request_authenticator::is_of_node(const request_context& ctx) const {
  return is_token(internal_token_, ctx.header("x-internal-token"));
}

result<app::caller> request_authenticator::relayed(request_context& ctx) const {
  auto target = std::string(ctx.path);
  if (!ctx.query.empty()) target.append("?").append(ctx.query);
  auto told = read_relayed(relay_key_, ctx.header(relayed_header), to_string(ctx.verb), target,
                           ctx.request_id, now_ms());
  if (!told) return error(codes::auth_invalid, "no node of this cluster signed who asks");
  boost::system::error_code ec;
  const auto peer = boost::asio::ip::make_address(told->peer, ec);
  if (!ec) ctx.peer = peer;
  // It was judged there, a moment ago by the clock of here.
  using namespace std::chrono;
  const auto now = steady_clock::now().time_since_epoch();
  told->who.judged_at_ms = duration_cast<milliseconds>(now).count();
  return std::move(told->who);
}

void request_authenticator::refused(const request_context& ctx, const error& why) {
  if (!audit_) return;
  const auto peer = ctx.peer.to_string();
  std::string data;
  json_writer w(data);
  w.begin_object().field("peer", peer).end_object();
  const auto& who = ctx.caller;
  security::audit_record r;
  r.what = "auth.refused";
  r.operation = ctx.operation_id;
  r.door = to_string(who.door);
  r.outcome = "denied";
  r.why = why.code;
  r.tenant_id = who.tenant.value;
  r.user_id = who.user.value;
  r.role = to_string(who.role);
  r.key_id = who.key_id;
  r.request_id = ctx.request_id;
  r.trace_id = who.trace_id;
  r.data_json = std::string_view(data).substr(1, data.size() - 2);
  audit_->refused(r);
}

}  // namespace soma::http
