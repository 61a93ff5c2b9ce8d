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
  co_return co_await s.idempotency.find_twin(gate, std::move(why));
}

}  // namespace soma::app
