#include "llm/call_places.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using soma::llm::call_places;

namespace {

struct line {
  explicit line(std::size_t a_provider, std::size_t a_node = 100, std::size_t waiting_max = 100,
                std::size_t waiting_bytes_max = 1000)
      : places({a_node, a_provider, waiting_max, waiting_bytes_max, {}}) {}

  // Its ticket; `called` gets the name when its place has come later.
  call_places::ticket enter(const std::string& name, const std::string& tenant,
                            const std::string& who, const std::string& provider = "p",
                            std::size_t bytes = 0) {
    const auto in =
        places.enter({provider, tenant, who, [this, name] { called += name + ' '; }, bytes});
    if (!in) return 0;
    if (in->now) called += name + "! ";
    return in->which;
  }

  std::string called;
  call_places places;
};

}  // namespace

TEST_CASE("call places: past the bound calls wait in order, and nobody passes them") {
  line l(2);
  const auto a = l.enter("a", "t", "s");
  const auto b = l.enter("b", "t", "s");
  const auto c = l.enter("c", "t", "s");
  l.enter("d", "t", "s");
  CHECK(l.called == "a! b! ");
  CHECK(l.places.now().running == 2);
  CHECK(l.places.now().waiting == 2);
  CHECK(l.places.waiting_of("t") == 2);
  CHECK(l.places.waiting_of("u") == 0);
  l.enter("elsewhere", "t", "s", "q");
  CHECK(l.called == "a! b! elsewhere! ");
  l.places.leave(b);
  l.places.leave(b);  // twice is once
  CHECK(l.called == "a! b! elsewhere! c ");
  l.places.leave(a);
  l.places.leave(c);
  CHECK(l.called == "a! b! elsewhere! c d ");
}

TEST_CASE("call places: tenants take turns, and within one its sessions") {
  line l(1);
  const auto first = l.enter("x", "x", "x");
  std::vector<call_places::ticket> in{first};
  for (const auto* name : {"a1", "a2", "a3"}) in.push_back(l.enter(name, "A", "one"));
  in.push_back(l.enter("a4", "A", "two"));
  in.push_back(l.enter("b1", "B", "one"));
  l.called.clear();
  for (const auto which : in) l.places.leave(which);
  // In leaving all one after the other, those whose turn had not come are gone without it.
  CHECK(l.places.now().running == 0);
  CHECK(l.places.now().waiting == 0);

  line m(1);
  auto running = m.enter("x", "x", "x");
  std::vector<std::pair<std::string, call_places::ticket>> names;
  for (const auto* name : {"a1", "a2", "a3"}) names.emplace_back(name, m.enter(name, "A", "one"));
  names.emplace_back("a4", m.enter("a4", "A", "two"));
  names.emplace_back("b1", m.enter("b1", "B", "one"));
  m.called.clear();
  for (int n = 0; n < 5; ++n) {
    m.places.leave(running);
    const auto last = m.called.substr(m.called.size() - 3, 2);
    for (const auto& [name, ticket] : names)
      if (name == last) running = ticket;
  }
  CHECK(m.called == "a1 b1 a4 a2 a3 ");
}

TEST_CASE("call places: a tenant holds three quarters of many, and others pass its waiting") {
  line l(16);
  std::vector<call_places::ticket> mine;
  for (int n = 0; n < 13; ++n) mine.push_back(l.enter("a" + std::to_string(n), "A", "one"));
  CHECK(l.places.now().running == 12);
  CHECK(l.places.waiting_of("A") == 1);
  l.called.clear();
  const auto b = l.enter("b", "B", "one");
  CHECK(l.called == "b! ");
  l.places.leave(b);  // its place is no more A's than before
  CHECK(l.called == "b! ");
  l.places.leave(mine[0]);
  CHECK(l.called == "b! a12 ");
  for (int n = 0; n < 4; ++n) l.enter("c" + std::to_string(n), "C", "one");
  CHECK(l.places.now().running == 16);
  const auto d = l.enter("d", "D", "one");
  l.called.clear();
  l.places.leave(mine[1]);
  CHECK(l.called == "d ");
  l.places.leave(d);
  for (const auto which : mine) l.places.leave(which);
}

TEST_CASE("call places: a node's places are shared like a provider's") {
  line l(100, 16);
  for (int n = 0; n < 20; ++n)
    l.enter("a" + std::to_string(n), "A", "one", "p" + std::to_string(n % 3));
  CHECK(l.places.now().running == 12);
  l.called.clear();
  l.enter("b", "B", "one", "p0");
  CHECK(l.called == "b! ");
}

TEST_CASE("call places: who is cancelled while waiting is never called, and holds nobody up") {
  line l(1);
  const auto a = l.enter("a", "t", "s");
  const auto b = l.enter("b", "t", "s");
  l.enter("c", "t", "s");
  l.places.leave(b);
  CHECK(l.places.now().waiting == 1);
  l.places.leave(a);
  CHECK(l.called == "a! c ");
}

TEST_CASE("call places: a node's bound is shared by providers by turns; past the last it says no") {
  line l(10, 1, 3);
  const auto a = l.enter("a", "t", "s", "p");
  const auto p1 = l.enter("p1", "t", "s", "p");
  l.enter("p2", "t", "s", "p");
  const auto q1 = l.enter("q1", "t", "s", "q");
  CHECK(l.enter("no", "t", "s", "q") == 0);
  l.called.clear();
  l.places.leave(a);
  l.places.leave(l.called == "p1 " ? p1 : q1);
  CHECK((l.called == "p1 q1 " || l.called == "q1 p1 "));
}

TEST_CASE("call places: those that wait have a bound in bytes, and one tenant half of it") {
  line l(1, 100, 100, 100);
  const auto a = l.enter("a", "t", "s", "p", 1000);  // does not wait
  const auto b = l.enter("b", "t", "s", "p", 50);
  CHECK(b != 0);
  CHECK(l.enter("c", "t", "s", "p", 1) == 0);
  CHECK(l.enter("d", "u", "s", "p", 40) != 0);
  CHECK(l.enter("e", "v", "s", "p", 11) == 0);
  const auto f = l.enter("f", "v", "s", "p", 10);
  CHECK(f != 0);
  l.places.leave(f);  // did not want to wait any more
  l.places.leave(a);  // so `b` goes, and no longer waits
  CHECK(l.called == "a! b ");
  CHECK(l.enter("g", "t", "s", "p", 50) != 0);
  CHECK(l.enter("h", "v", "s", "p", 10) != 0);
}
