#include "app/copied_session.hpp"

#include "app/services.hpp"
#include "app/session_stager.hpp"
#include "core/codes.hpp"

namespace soma::app {

namespace asio = boost::asio;

std::function<std::string(std::string_view)> renamer(const session_id& to) {
  return [to = to.value](std::string_view id) { return derived_uuid({"copy", to, id}); };
}

asio::awaitable<result<void>> give_up(services& s, session_stager& stager,
                                      idempotency_gate::entry& gate, error why) {
  co_await stager.discard();
  if (why.code == codes::idempotency_exists) {
    auto looked = co_await s.idempotency.look(gate);
    if (!looked) co_return looked.error();
    if (gate.replay) co_return result<void>();
  }
  co_return why;
}

}  // namespace soma::app
