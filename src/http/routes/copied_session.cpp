#include "http/routes/copied_session.hpp"

#include <boost/json.hpp>

#include "core/codes.hpp"
#include "http/net/problem.hpp"

namespace soma::http {
namespace {

session_id session_in(std::string_view answer) {
  return session_id(
      std::string(boost::json::parse({answer.data(), answer.size()}).at("session_id").as_string()));
}

}  // namespace

std::function<std::string(std::string_view)> renamer(const session_id& to) {
  return [to = to.value](std::string_view id) { return app::derived_uuid({"copy", to, id}); };
}

response session_created(const session_id& session, std::string body,
                         const app::idempotency_gate::entry& gate) {
  response answer(201, std::move(body));
  answer.headers.emplace_back("Location", "/v1/sessions/" + session.value);
  mark_replayed(answer, gate);
  return answer;
}

response session_replayed(const app::idempotency_gate::entry& gate) {
  const auto& answer = gate.replay->response_json;
  return session_created(session_in(answer), answer, gate);
}

asio::awaitable<response> not_published(gateway& g, request_context& ctx,
                                        app::session_stager& stager,
                                        app::idempotency_gate::entry& gate, error why) {
  co_await stager.discard();
  if (why.code == codes::idempotency_exists) {
    auto looked = co_await g.services.idempotency.look(gate);
    if (!looked) co_return problem(looked.error(), ctx);
    if (gate.replay) co_return session_replayed(gate);
  }
  co_return problem(why, ctx);
}

}  // namespace soma::http
