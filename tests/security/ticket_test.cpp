#include "security/identity/ticket.hpp"

#include <doctest/doctest.h>

#include "core/codes.hpp"
#include "security/digest.hpp"
#include "security/identity/sign_in_token.hpp"

using namespace soma;
using namespace soma::security;

namespace {
const secret_string server_key(std::string(32, 'k'));
const ticket_claims claims{{tenant_id{"acme"}, session_id{"s1"}}, user_id{"ann"}, 1000};
}  // namespace

TEST_CASE("ticket: opens its session until it expires, also after a restart") {
  const std::string text = ticket_office(server_key).issue(claims);
  const ticket_office office(server_key);
  const auto who = office.redeem(text, session_id{"s1"}, 999);
  REQUIRE(who.has_value());
  CHECK(who->tenant.value == "acme");
  CHECK(who->user.value == "ann");
  CHECK(who->role == role::user);
  CHECK(who->via == via::ticket);
  CHECK(who->only_session.value == "s1");
  CHECK(office.redeem(text, session_id{"s1"}, 1000).error().code == codes::ticket_invalid);
  CHECK(office.redeem(text, session_id{"s2"}, 0).has_error());
  CHECK(office.redeem(text, session_id{}, 0).has_error());
}

TEST_CASE("ticket: every changed, cut or added character is refused") {
  const ticket_office office(server_key);
  const std::string text = office.issue(claims);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'A', 'B', 'z', '9', '-', '=', '\0'}) {
      std::string changed = text;
      if (changed[i] == c) continue;
      changed[i] = c;
      CHECK(office.redeem(changed, session_id{"s1"}, 0).has_error());
    }
    CHECK(office.redeem(text.substr(0, i), session_id{"s1"}, 0).has_error());
  }
  CHECK(office.redeem(text + "A", session_id{"s1"}, 0).has_error());
  CHECK(office.redeem(std::string(100'000, 'A'), session_id{"s1"}, 0).has_error());
}

TEST_CASE("ticket: it has the role of whoever asked for it") {
  const ticket_office office(server_key);
  auto asked = claims;
  CHECK(office.redeem(office.issue(asked), session_id{"s1"}, 0)->role == role::user);
  asked.role = role::admin;
  const auto who = office.redeem(office.issue(asked), session_id{"s1"}, 0);
  REQUIRE(who.has_value());
  CHECK(who->role == role::admin);
  CHECK(who->only_session.value == "s1");
}

TEST_CASE("ticket: another server's key opens nothing, nor does the bare server key sign") {
  const auto text = ticket_office(secret_string(std::string(32, 'x'))).issue(claims);
  CHECK(ticket_office(server_key).redeem(text, session_id{"s1"}, 0).has_error());
}

TEST_CASE("ticket: parts cannot be shifted into one another") {
  const ticket_office office(server_key);
  const ticket_claims odd{{tenant_id{"a1:b"}, session_id{"s:1"}}, user_id{"2:cc"}, 1000};
  const auto who = office.redeem(office.issue(odd), session_id{"s:1"}, 0);
  REQUIRE(who.has_value());
  CHECK(who->tenant.value == "a1:b");
  CHECK(who->user.value == "2:cc");
}

TEST_CASE("sign-in token: holds once, for its time, until it is rotated") {
  sign_in_token token;
  CHECK_FALSE(token.redeem("", 0));
  const auto first = token.rotate(0);
  CHECK_FALSE(token.redeem(first + "x", 1));
  CHECK(token.redeem(first, 1));
  CHECK_FALSE(token.redeem(first, 1));
  const auto late = token.rotate(0);
  CHECK_FALSE(token.redeem(late, sign_in_token::ttl_ms));
  const auto replaced = token.rotate(0);
  const auto current = token.rotate(0);
  CHECK_FALSE(token.redeem(replaced, 1));
  CHECK(token.redeem(current, 1));
}
