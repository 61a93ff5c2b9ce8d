#include "memory/vectors.hpp"

#include <atomic>
#include <cctype>
#include <set>

#include "core/codes.hpp"
#include "core/fingerprint.hpp"
#include "memory/memory_world.hpp"

using namespace soma;
using namespace soma::memory;
using namespace soma::memory::testing;

namespace {

// Words as directions, those of one meaning as one.
class word_embedder final : public embedder {
 public:
  std::atomic<std::size_t> dimension{509}, texts{0}, calls{0}, questions{0};
  std::atomic<bool> there{true}, refuses{false}, hangs{false};

  void name(std::string model) {
    const std::lock_guard lock(mutex_);
    model_ = std::move(model);
  }
  void refuse_text(std::string part) {
    const std::lock_guard lock(mutex_);
    refused_ = std::move(part);
  }
  // The server says that it failed; gives one without a direction.
  void break_at(std::string part) {
    const std::lock_guard lock(mutex_);
    breaking_ = std::move(part);
  }
  // Gives no answer in time; refuses as one that is paid for does.
  void hang_at(std::string part) {
    const std::lock_guard lock(mutex_);
    hanging_ = std::move(part);
  }
  void deny(std::string part) {
    const std::lock_guard lock(mutex_);
    denied_ = std::move(part);
  }
  void give_nothing_for(std::string part) {
    const std::lock_guard lock(mutex_);
    nothing_ = std::move(part);
  }

  std::string model_of(const tenant_id& tenant) const override {
    const std::lock_guard lock(mutex_);
    return there && tenant.value != "without" ? model_ : std::string();
  }
  std::unique_ptr<embedding_call> begin(const tenant_id&, const user_id& who,
                                        std::vector<std::string> asked, int) override {
    ++calls;
    questions += !who.value.empty();
    texts += asked.size();
    const std::lock_guard lock(mutex_);
    if (hangs) return std::make_unique<answer>(std::nullopt);
    if (refuses) return failure(codes::llm_auth);
    std::vector<embedding> out;
    for (const auto& text : asked) {
      if (!refused_.empty() && text.find(refused_) != std::string::npos)
        return failure(codes::llm_bad_request);
      if (!breaking_.empty() && text.find(breaking_) != std::string::npos)
        return failure(codes::llm_provider_error);
      if (!hanging_.empty() && text.find(hanging_) != std::string::npos)
        return std::make_unique<answer>(std::nullopt);
      if (!denied_.empty() && text.find(denied_) != std::string::npos)
        return failure(codes::llm_auth);
      const bool none = !nothing_.empty() && text.find(nothing_) != std::string::npos;
      out.push_back(none ? embedding(dimension, 0.0f) : vector_of(text));
    }
    return std::make_unique<answer>(std::move(out));
  }

 private:
  using outcome = std::optional<result<std::vector<embedding>>>;
  struct answer final : embedding_call {
    explicit answer(outcome how) : how_(std::move(how)) {}
    outcome wait(std::chrono::steady_clock::time_point) override { return how_; }
    outcome how_;
  };
  static std::unique_ptr<embedding_call> failure(std::string_view code) {
    return std::make_unique<answer>(error(code, "refused by the test"));
  }
  embedding vector_of(const std::string& text) const {
    static const std::map<std::string, std::string> meanings{
        {"automobile", "car"}, {"vehicle", "car"}, {"kitten", "cat"}, {"feline", "cat"}};
    embedding v(dimension, 0.01f);
    std::string word;
    for (const char c : text + ' ') {
      if (std::isalpha(static_cast<unsigned char>(c))) {
        word += static_cast<char>(std::tolower(c));
        continue;
      }
      if (const auto as = meanings.find(word); as != meanings.end()) word = as->second;
      if (word.size() >= 3) v[fingerprint(word + model_) % v.size()] += 1;
      word.clear();
    }
    return v;
  }

  mutable std::mutex mutex_;
  std::string model_ = "one", refused_, breaking_, nothing_, hanging_, denied_;
};

struct near_world : world {
  near_world() {
    stop();
    more.asks = &asks;
    more.look_every = more.back_off_first = more.back_off_max = std::chrono::milliseconds(5);
    vector_options_ = &more;
    start();
  }
  ~near_world() { stop(); }

  // Until all have vectors.
  void made() {
    settle();
    until([&] { return near->status(tenant_id("t")).state == "ready" && waiting() == 0; });
  }
  std::size_t waiting() { return near->status(tenant_id("t")).waiting; }
  template <class Condition>
  void until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    REQUIRE(condition());
  }
  found_items search(std::string query, const viewer& who = by()) {
    search_question asked;
    asked.query = std::move(query);
    return kept->search(who, asked).value();
  }
  std::size_t stored() { return log->list_documents(vector_collection, {}, 1000).value().size(); }

  word_embedder asks;
  vector_options more;
};

}  // namespace

TEST_CASE_FIXTURE(near_world, "vectors: what means the same is found without a word of it") {
  const auto car = note("The automobile stands in the garage");
  note("Bread is baked on Fridays");
  note("A vehicle of another tenant", by("ada", "other"));
  made();
  const auto found_now = search("car");
  REQUIRE(found_now.items.size() == 1);
  CHECK(found_now.items[0].what.memory_id == car.memory_id);
  CHECK_FALSE(found_now.degraded);
  CHECK_FALSE(found_now.approximate);
  CHECK(stored() >= 2);
  // A tenant without a model has words alone, and that is nothing missing.
  note("The automobile of somebody", by("eve", "without"));
  CHECK_FALSE(search("car", by("eve", "without")).degraded);
  CHECK(found("car", by("eve", "without")).empty());
  CHECK(near->status(tenant_id("without")).state == "off");
}

TEST_CASE_FIXTURE(near_world, "vectors: what is forgotten, or goes with its session, has none") {
  const auto car = note("The automobile stands in the garage");
  say("s1", "g1", "Our vehicle is red");
  made();
  CHECK(found("car").size() == 2);
  REQUIRE(kept->forget(by(), car.memory_id, {}));
  settle();
  CHECK(found("car") == strings{"Our vehicle is red"});
  CHECK(stored() == 1);
  delete_session("s1");
  settle();
  CHECK(found("car").empty());
  CHECK(stored() == 0);
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: one is made once for each text, and again where that changes") {
  const auto car = note("The automobile stands in the garage");
  made();
  const auto texts = asks.texts.load();
  item_change pin;
  pin.pinned = true;
  REQUIRE(kept->change(by(), car.memory_id, pin, {}));
  made();
  stop();
  start();
  made();
  CHECK(asks.texts == texts);
  CHECK(found("car").size() == 1);
  item_change other;
  other.text = "A kitten sleeps in the garage";
  REQUIRE(kept->change(by(), car.memory_id, other, {}));
  made();
  CHECK(found("feline").size() == 1);
  CHECK(found("car").empty());
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: filters hold within the search, however many others are nearer") {
  for (int i = 0; i < 300; ++i) note("vehicle number " + std::to_string(i));
  say("s1", "g1", "Of all things a vehicle");
  made();
  search_question asked;
  asked.query = "car";
  asked.filter.session_id = "s1";
  const auto found_now = kept->search(by(), asked).value();
  REQUIRE(found_now.items.size() == 1);
  CHECK(found_now.items[0].what.text == "Of all things a vehicle");
}

TEST_CASE_FIXTURE(near_world, "vectors: another model, or another dimension, has all made anew") {
  note("The automobile stands in the garage");
  made();
  asks.name("two");
  until(
      [&] { return asks.texts >= 2 && waiting() == 0 && near->degraded(tenant_id("t")).empty(); });
  CHECK(found("car").size() == 1);
  asks.dimension = 307;
  note("A kitten");
  made();
  until([&] { return found("car").size() == 1 && found("feline").size() == 1; });
  const auto all = log->list_documents(vector_collection, {}, 10).value();
  for (const auto& [key, bytes] : all) {
    stored_vector v;
    REQUIRE(decode_vector(bytes, v));
    CHECK(v.values.size() == 307);
  }
  // Without a model there are words alone, and nothing is missing.
  asks.there = false;
  until([&] { return near->status(tenant_id("t")).state == "off"; });
  CHECK_FALSE(search("car").degraded);
  CHECK(found("car").empty());
  CHECK(found("automobile").size() == 1);
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: where the provider refuses there are words, and why is told") {
  note("The automobile stands in the garage");
  made();
  asks.refuses = true;
  note("A vehicle in the yard");
  settle();
  until([&] { return near->status(tenant_id("t")).state == "failing"; });
  auto now = search("automobile");
  CHECK(now.degraded);
  CHECK(now.why.find("refused by the test") != std::string::npos);
  CHECK(now.items.size() == 1);
  CHECK(waiting() == 1);
  asks.refuses = false;
  made();
  now = search("car");
  CHECK_FALSE(now.degraded);
  CHECK(now.items.size() == 2);
}

TEST_CASE_FIXTURE(near_world, "vectors: a text that the provider refuses holds up no other") {
  asks.refuse_text("unspeakable");
  note("A vehicle that is unspeakable");
  note("The automobile stands in the garage");
  made();
  CHECK(found("car") == strings{"The automobile stands in the garage"});
  CHECK(found("unspeakable").size() == 1);  // by its words
  CHECK(stored() == 2);
}

TEST_CASE_FIXTURE(near_world, "vectors: a text at which the server breaks holds up no other") {
  asks.break_at("enormous");
  asks.give_nothing_for("void");
  note("A vehicle that is enormous");
  note("A void vehicle");
  note("The automobile stands in the garage");
  made();
  CHECK(found("car") == strings{"The automobile stands in the garage"});
  CHECK(stored() == 3);
  // One that fails at all of them is not taken for that.
  asks.break_at(" ");
  note("A kitten sleeps");
  settle();
  until([&] { return near->status(tenant_id("t")).state == "failing"; });
  const auto calls = asks.calls.load();
  until([&] { return asks.calls > calls + 10; });
  CHECK(waiting() == 1);
  CHECK(stored() == 3);
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: a text that is never answered, or denied, is set aside and told of") {
  stop();
  more.embed_for = std::chrono::milliseconds(5);
  strings notices_of;
  std::mutex notices_mutex;
  more.on_notice = [&](const std::string& what) {
    const std::lock_guard lock(notices_mutex);
    notices_of.push_back(what);
  };
  start();
  asks.hang_at("endless");
  asks.deny("forbidden");
  const auto endless = note("A vehicle that is endless");
  const auto forbidden = note("A forbidden vehicle");
  note("The automobile stands in the garage");
  settle();
  until([&] { return near->status(tenant_id("t")).set_aside == 2 && waiting() == 0; });
  made();
  note("A car in the yard");  // and others go on
  made();
  CHECK(found("car") == strings{"A car in the yard", "The automobile stands in the garage"});
  CHECK(found("endless").size() == 1);  // by its words
  {
    const std::lock_guard lock(notices_mutex);
    std::size_t told = 0;
    for (const auto& what : notices_of) {
      told += what.find("set aside") != std::string::npos;
      CHECK(what.find("endless") == std::string::npos);
    }
    CHECK(told == 2);
  }
  CHECK(near->last_status(tenant_id("t")).set_aside == 2);
  CHECK(near->totals().set_aside == 2);
  // It is known as such after a start, and asked for no more.
  stop();
  start();
  made();
  CHECK(near->status(tenant_id("t")).set_aside == 2);
  // What goes, or says something else, is none of them any more.
  REQUIRE(kept->forget(by(), endless.memory_id, {}));
  settle();
  until([&] { return near->status(tenant_id("t")).set_aside == 1; });
  asks.deny("");
  item_change other;
  other.text = "A vehicle that is allowed";
  REQUIRE(kept->change(by(), forbidden.memory_id, other, {}));
  made();
  until([&] { return near->status(tenant_id("t")).set_aside == 0; });
  stop();
}

TEST_CASE_FIXTURE(near_world, "vectors: how much waits and for how long is told without a look") {
  note("The automobile stands in the garage");
  made();
  until([&] { return near->last_status(tenant_id("t")).waiting == 0; });
  CHECK(near->last_status(tenant_id("t")).state == "ready");
  CHECK(near->last_status(tenant_id("t")).lag_s == 0);
  asks.refuses = true;
  for (int i = 0; i < 3; ++i) note("vehicle number " + std::to_string(i));
  settle();
  until([&] { return near->last_status(tenant_id("t")).waiting == 3; });
  CHECK(near->totals().waiting == 3);
  until([&] { return near->last_status(tenant_id("t")).lag_s > 0; });
  until([&] { return near->totals().failing == 1; });
  CHECK(near->last_status(tenant_id("without")).state == "off");
  asks.refuses = false;
  made();
  until([&] { return near->last_status(tenant_id("t")).lag_s == 0; });
  CHECK(near->totals().ready == 1);
}

TEST_CASE_FIXTURE(near_world, "vectors: a question that could not be used is not made one") {
  note("The automobile stands in the garage");
  made();
  REQUIRE(found("car").size() == 1);
  const auto questions = asks.questions.load();
  CHECK(questions > 0);
  asks.refuses = true;
  note("A vehicle in the yard");
  settle();
  until([&] { return near->status(tenant_id("t")).state == "failing"; });
  const auto now = search("automobile");
  CHECK(now.degraded);
  CHECK(now.by_words_alone);
  CHECK(asks.questions == questions);
}

TEST_CASE_FIXTURE(near_world, "vectors: what is near is not said to be known to SomaBrain alone") {
  struct named final : remote_recall {
    remote_answer answer;
    remote_answer ask(const tenant_id&, std::string_view, std::size_t, std::int64_t) override {
      return answer;
    }
  };
  const auto car = note("The automobile stands in the garage"), other = note("Bread is baked");
  made();
  const auto afar = std::make_shared<named>();
  afar->answer.ids = {car.memory_id, other.memory_id};
  kept->ask_also(afar);
  search_question asked;
  asked.query = "car";
  asked.from_afar = true;
  const auto both = kept->search(by(), asked).value();
  REQUIRE(both.items.size() == 2);
  CHECK_FALSE(both.items[0].from_afar);
  CHECK(both.items[1].from_afar);
  // What SomaBrain does not answer is more than vectors that are missing.
  afar->answer.why = "SomaBrain is away";
  asks.hangs = true;
  const auto none = kept->search(by(), asked).value();
  CHECK(none.degraded);
  CHECK_FALSE(none.by_words_alone);
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: those of a session that went while the index was lost go, too") {
  note("The automobile stands in the garage");
  say("s1", "g1", "Our vehicle is red");
  made();
  CHECK(stored() == 2);
  stop();
  delete_session("s1");
  index_file::remove(path);
  start();
  made();
  CHECK(found("car") == strings{"The automobile stands in the garage"});
  CHECK(stored() == 1);
}

TEST_CASE_FIXTURE(near_world, "vectors: a question that takes too long is answered by words") {
  note("The automobile stands in the garage");
  made();
  asks.hangs = true;
  const auto now = search("automobile");
  CHECK(now.degraded);
  CHECK(now.items.size() == 1);
}

TEST_CASE_FIXTURE(near_world, "vectors: an index that is made anew needs no new vectors") {
  note("The automobile stands in the garage");
  made();
  const auto texts = asks.texts.load();
  stop();
  index_file::remove(path);
  start();
  made();
  CHECK(asks.texts == texts);
  CHECK(found("car").size() == 1);
}

TEST_CASE_FIXTURE(near_world,
                  "vectors: more than may be in memory are words alone, and that is told") {
  for (int i = 0; i < 20; ++i) note("vehicle number " + std::to_string(i));
  made();
  stop();
  more.bytes_max = 1000;
  start();
  made();
  const auto now = search("vehicle");
  CHECK(now.degraded);
  CHECK(now.why.find("memory.vectors_bytes_max") != std::string::npos);
  CHECK(now.items.size() == 20);
}

TEST_CASE_FIXTURE(near_world, "vectors: once enough went the others are looked at again") {
  strings ids;
  for (int i = 0; i < 20; ++i) ids.push_back(note("vehicle number " + std::to_string(i)).memory_id);
  made();
  stop();
  more.bytes_max = vector_set::bytes_of(10, asks.dimension, more.exact_max);
  start();
  made();
  REQUIRE(search("car").degraded);
  for (int i = 0; i < 10; ++i) REQUIRE(kept->forget(by(), ids[static_cast<std::size_t>(i)], {}));
  settle();
  until([&] { return !search("car").degraded; });
  CHECK(found("car").size() == 10);
  // And what is kept while they are in memory counts, too.
  note("vehicle number 20");
  made();
  CHECK(search("car").degraded);
}

TEST_CASE_FIXTURE(near_world, "vectors: past so many the answer says that it is approximate") {
  stop();
  more.exact_max = 100;
  start();
  for (int i = 0; i < 400; ++i) note("bread number " + std::to_string(i));
  note("The automobile stands in the garage");
  made();
  until([&] { return search("car").approximate; });
  CHECK(found("car") == strings{"The automobile stands in the garage"});
}
