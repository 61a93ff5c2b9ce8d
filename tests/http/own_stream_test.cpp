// The streams of a tenant's people: each is told of what he may see, and of nothing else; streams
// of a session end where it is not shared any more.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "http/stream/sse_frame.hpp"
#include "http/stream/tenant_stream.hpp"
#include "sse_world.hpp"

using namespace soma;
using namespace soma::http;

namespace {

const tenant_id t{"t"};

app::session_info info_of(std::string owner, sharing shared = {}) {
  app::session_info info;
  info.user_id = std::move(owner);
  info.sharing = std::move(shared);
  return info;
}

// What a feed was told since: "entry", "gone", or nothing.
class follower {
 public:
  follower(feed_registry& feeds, const session_key& key) : feed_(feeds.acquire(key)) {}

  std::string told() {
    std::vector<feed_frame> frames;
    feed_->copy_after(seen_, 100, 1 << 20, frames);
    std::string out;
    for (const auto& one : frames) {
      seen_ = one.id.seq;
      out += one.bytes->find("\"deleted\":true") != std::string::npos ? "gone" : "entry";
    }
    return out;
  }

 private:
  std::shared_ptr<session_feed> feed_;
  std::uint64_t seen_ = 0;
};

struct house {
  feed_registry feeds{1, {}};
  const session_key key{t, session_id("00000000-0000-4000-8000-000000000001")};
  follower admins{feeds, tenant_feed_key(t)}, ann{feeds, person_feed_key(t, "ann")},
      bob{feeds, person_feed_key(t, "bob")}, others{feeds, person_feed_key(tenant_id("x"), "ann")};
  std::optional<app::session_fact> before;

  // As the node does it. What the admins, ann and bob were told.
  std::string tell(const app::session_info* info) {
    publish_session_change(feeds, key, info, {1, 1}, before ? &*before : nullptr);
    before.reset();
    if (info) before = app::fact_of(*info);
    return admins.told() + "," + ann.told() + "," + bob.told() + "," + others.told();
  }
};

stream_owner owner_of(std::string user, app::role role = app::role::user) {
  app::caller who;
  who.tenant = t;
  who.user = user_id(std::move(user));
  who.role = role;
  return stream_owner::of(who);
}

}  // namespace

TEST_CASE("own streams: each is told of what he may see, and when he may not any more") {
  house h;
  auto info = info_of("ann");
  CHECK(h.tell(&info) == "entry,entry,,");
  info.sharing.users = {"bob"};
  CHECK(h.tell(&info) == "entry,entry,entry,");
  info.sharing.users.clear();
  CHECK(h.tell(&info) == "entry,entry,gone,");
  CHECK(h.tell(&info) == "entry,entry,,");
  info.sharing.visible_to_tenant = true;
  CHECK(h.tell(&info) == "entry,entry,entry,");
  CHECK(h.tell(&info) == "entry,entry,entry,");
  info.sharing.visible_to_tenant = false;
  CHECK(h.tell(&info) == "entry,entry,gone,");
  CHECK(h.tell(nullptr) == "gone,gone,,");
  // Of nobody's, and of one of which nothing was known.
  info = info_of("");
  CHECK(h.tell(&info) == "entry,,,");
  h.before.reset();
  CHECK(h.tell(nullptr) == "gone,,,");
}

TEST_CASE("own streams: what concerns all of a tenant reaches each of its streams") {
  house h;
  publish_tenant_event(h.feeds, t, "settings.changed", "{}");
  CHECK(h.admins.told() + h.ann.told() + h.bob.told() + h.others.told() == "entryentryentry");
}

TEST_CASE("own streams: whose feed a caller follows") {
  app::caller who;
  who.tenant = t;
  who.user = user_id("ann");
  who.role = app::role::user;
  CHECK(own_feed_key(who) == person_feed_key(t, "ann"));
  who.role = app::role::admin;
  CHECK(own_feed_key(who) == tenant_feed_key(t));
}

TEST_CASE("own streams: a session's streams end with the sight of it, and no others") {
  sse_world world(1);
  const auto key = test_session();
  const auto other = test_session("other");
  world.append_deltas(key, 1);
  world.append_deltas(other, 1);
  stream_request request;
  request.key = key;
  request.chunked = true;
  const auto open = [&](const session_key& what, stream_owner who) {
    request.key = what;
    request.owner = who;
    auto client = world.open(request);
    REQUIRE(client.next_event().has_value());
    return client;
  };
  auto ann = open(key, owner_of("ann")), bob = open(key, owner_of("bob")),
       root = open(key, owner_of("root", app::role::admin)),
       elsewhere = open(other, owner_of("bob"));
  app::session_fact now;
  now.owner = "ann";
  world.hub(0).end_unseen(key, session_audience::of(t, now));
  CHECK_FALSE(bob.next_event().has_value());
  CHECK_FALSE(bob.ended_whole());
  // Nor is one opened that was let in before.
  request.key = key;
  request.owner = owner_of("bob");
  auto late = world.open(request);
  CHECK_FALSE(late.next_event().has_value());
  world.append_deltas(key, 1);
  world.append_deltas(other, 1);
  for (auto* client : {&ann, &root, &elsewhere}) CHECK(client->next_event().has_value());
  // Shared again.
  now.shared.users = {"bob"};
  world.hub(0).end_unseen(key, session_audience::of(t, now));
  world.run_on(0, [] {});
  open(key, owner_of("bob"));
}

TEST_CASE("own streams: they end with their user, and not those that come after") {
  auto ann = owner_of("ann"), bob = owner_of("bob");
  ann.judged_at_ms = bob.judged_at_ms = 1000;
  security::gone_identity gone;
  gone.tenant = t;
  gone.user = user_id("ann");
  CHECK(ann.goes_with(stream_owner::of(gone, 1000)));
  CHECK_FALSE(bob.goes_with(stream_owner::of(gone, 1000)));
  CHECK_FALSE(ann.goes_with(stream_owner::of(gone, 999)));
  gone.tenant = tenant_id("x");
  CHECK_FALSE(ann.goes_with(stream_owner::of(gone, 1000)));
  CHECK_FALSE(ann.goes_with(stream_owner::of(security::gone_identity{}, 1000)));
}
