#include "app/audit.hpp"

#include <chrono>

#include "app/on_lane.hpp"
#include "app/on_longer.hpp"
#include "app/services.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "security/audit/audit_reader.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// What was recorded before is waited for; a disk that takes nothing is not.
constexpr std::chrono::milliseconds waits_at_most{500};
// That one page looks through at most, about.
constexpr std::size_t page_bytes_max = 64 * 1024 * 1024;

// What is the node's own tells of all tenants: it is for who runs it.
void only_of(const caller& who, audit_filter& wanted) {
  wanted.tenant = who.tenant.value;
  wanted.with_nodes = who.tenant.value == operators_tenant;
}

error none() {
  return {codes::audit_not_found, "there is no such record"};
}

class audit_lines final : public piece_source {
 public:
  audit_lines(services& s, const caller& who, audit_filter wanted, std::shared_ptr<void> place)
      : s_(s),
        whose_(long_turn_of(who.tenant)),
        place_(std::move(place)),
        reader_(
            std::make_shared<security::audit_reader>(s.tools.audit.folder(), std::move(wanted))) {}

  asio::awaitable<result<std::string>> next() override {
    for (;;) {
      auto read = [reader = reader_] { return reader->next(); };
      auto piece = co_await on_lane(s_.lanes.longer, whose_, std::move(read));
      if (!piece || !piece->empty() || reader_->ended()) co_return piece;
    }
  }

 private:
  services& s_;
  const std::string whose_;
  const std::shared_ptr<void> place_;
  const std::shared_ptr<security::audit_reader> reader_;
};

}  // namespace

asio::awaitable<result<audit_page>> list_audit(services& s, const caller& who, audit_filter wanted,
                                               std::uint64_t before, std::size_t limit) {
  only_of(who, wanted);
  auto work = [&audit = s.tools.audit, wanted = std::move(wanted), before, limit] {
    (void)audit.flush(waits_at_most);
    return security::find_audit(audit.folder(), wanted, before, limit, page_bytes_max);
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<result<std::string>> find_audit_record(services& s, const caller& who,
                                                       std::uint64_t seq) {
  audit_filter mine;
  only_of(who, mine);
  auto work = [&audit = s.tools.audit, mine = std::move(mine), seq]() -> result<std::string> {
    auto found = security::audit_record_at(audit.folder(), seq);
    if (!found) return found.error();
    if (!*found || !security::fits_audit(mine, **found)) return none();
    return std::move(**found);
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<result<std::string>> audit_head_now(services& s, const caller& who) {
  auto work = [&audit = s.tools.audit]() -> result<std::string> {
    // An older one would say of what the caller knows to be done that it is not there.
    if (!audit.sign(waits_at_most))
      return error(codes::dependency_unavailable, "what was recorded cannot be signed now", 1)
          .about("audit");
    return audit.head();
  };
  co_return co_await on_longer(s, who.tenant, std::move(work));
}

asio::awaitable<void> sync_audit(services& s, tenant_id whose) {
  auto work = [&audit = s.tools.audit]() -> result<void> {
    (void)audit.sign(waits_at_most);
    return {};
  };
  (void)co_await on_longer(s, whose, std::move(work));
}

asio::awaitable<result<std::shared_ptr<piece_source>>> export_audit(services& s, const caller& who,
                                                                    audit_filter wanted) {
  only_of(who, wanted);
  auto place = s.exports.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "much is being exported", 1);
  auto wait = [&audit = s.tools.audit]() -> result<void> {
    (void)audit.flush(waits_at_most);
    return {};
  };
  auto written = co_await on_longer(s, who.tenant, std::move(wait));
  if (!written) co_return written.error();
  std::shared_ptr<piece_source> lines =
      std::make_shared<audit_lines>(s, who, std::move(wanted), std::move(place));
  co_return lines;
}

}  // namespace soma::app
