#include "memory/recall_threads.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <set>
#include <thread>

#include "core/codes.hpp"
#include "memory/memory_world.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

TEST_CASE("recall: many at once are answered, each once, or told that it is busy") {
  world w;
  w.note("the daughter is Ada");
  w.settle();
  std::atomic<int> answered = 0, busy = 0;
  {
    recall_threads threads(*w.kept, 2);
    for (int i = 0; i < 1000; ++i)
      threads.recall(w.question("daughter"), [&](result<recall_answer> answer) {
        if (answer)
          answered += answer->items.size() == 1;
        else
          busy += answer.error().code == codes::server_busy;
      });
  }
  CHECK(answered + busy == 1000);
  CHECK(answered >= 128);
}

TEST_CASE("recall: however much one tenant asks, another has a thread, and half of the places") {
  world w;
  w.note("the daughter is Ada", w.by("eve", "few"));
  w.settle();
  std::promise<void> go;
  const auto held = go.get_future().share();
  std::atomic<int> begun = 0, busy = 0, done = 0;
  std::promise<result<recall_answer>> theirs;
  {
    recall_threads threads(*w.kept, 3);
    const auto hold = [&](result<recall_answer> answer) {
      if (!answer) return void(++busy);
      ++begun;
      held.wait();
      ++done;
    };
    for (int i = 0; i < 2; ++i) threads.recall(w.question("daughter"), hold);
    while (begun < 2) std::this_thread::yield();
    for (int i = 0; i < 200; ++i) threads.recall(w.question("daughter"), hold);
    CHECK(busy == 200 - 128);
    auto question = w.question("daughter");
    question.key.tenant = tenant_id("few");
    question.user = user_id("eve");
    threads.recall(question, [&](auto answer) { theirs.set_value(std::move(answer)); });
    const auto answer = theirs.get_future().get();  // while those of the other are held
    REQUIRE(answer);
    CHECK(answer->items.size() == 1);
    CHECK(begun == 2);
    go.set_value();
  }
  CHECK(done == 130);
}

TEST_CASE("recall: what nobody waits for any more is not looked for") {
  auto brief = world::patient();
  brief.recall_ms = 1;
  world w(brief);
  std::promise<void> go;
  std::atomic<int> answered = 0, late = 0;
  {
    recall_threads threads(*w.kept, 1);
    std::promise<void> begun;
    threads.recall(w.question("first"), [&](auto) {
      begun.set_value();
      go.get_future().wait();
    });
    begun.get_future().wait();
    for (int i = 0; i < 10; ++i)
      threads.recall(w.question("daughter"),
                     [&](const auto& answer) { ++(answer ? answered : late); });
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // longer than their time
    go.set_value();
  }
  CHECK(answered == 0);
  CHECK(late == 10);
}
