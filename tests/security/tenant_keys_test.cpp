#include "security/secrets/tenant_keys.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::security;
namespace fs = std::filesystem;

namespace {

const tenant_id ann{"ann"}, bob{"bob"};

secret_string wrap(char c) {
  return secret_string(std::string(32, c));
}

template <class T>
std::string_view code_of(const result<T>& r) {
  return r ? std::string_view() : r.error().code;
}

struct world {
  testing::temp_folder folder;
  tenant_keys_options options{folder / "keys", {wrap('w')}, true};

  std::unique_ptr<tenant_keys> open() { return tenant_keys::open(options).value(); }
  std::string opens_with() { return std::string(code_of(tenant_keys::open(options))); }
  // All that lies there.
  std::string bytes() const {
    std::string all;
    for (const auto& one : fs::recursive_directory_iterator(folder.path())) {
      if (!one.is_regular_file()) continue;
      std::ifstream in(one.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(in), {});
    }
    return all;
  }
};

std::string sealed_by(tenant_keys& keys, const tenant_id& tenant) {
  std::string text = "said";
  keys.for_writing(tenant).value()->seal(text, "p");
  return text;
}

bool opens(const tenant_keys& keys, const tenant_id& tenant, std::string text) {
  const auto key = keys.for_reading(tenant);
  return key && (*key)->unseal(text, "p");
}

}  // namespace

TEST_CASE("tenant keys: each tenant has one of its own, which the next opening finds") {
  world w;
  auto keys = w.open();
  CHECK_FALSE(keys->unused());
  const auto text = sealed_by(*keys, ann);
  CHECK(opens(*keys, ann, text));
  CHECK(code_of(keys->for_reading(bob)) == codes::secret_key_missing);
  (void)sealed_by(*keys, bob);
  CHECK_FALSE(opens(*keys, bob, text));
  keys = w.open();
  CHECK(opens(*keys, ann, text));
  CHECK_FALSE(opens(*keys, bob, text));
  struct stat found {};
  REQUIRE(::stat((w.folder / "keys").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
}

TEST_CASE(
    "tenant keys: without a key to wrap them by, or with another, nothing opens or is written") {
  world w;
  w.options.wraps.clear();
  CHECK(w.opens_with() == codes::secret_key_missing);
  CHECK_FALSE(fs::exists(w.folder / "keys"));
  w.options.wraps = {wrap('w')};
  (void)sealed_by(*w.open(), ann);
  const auto before = w.bytes();
  w.options.wraps = {wrap('x')};
  CHECK(w.opens_with() == codes::secret_key_wrong);
  w.options.wraps.clear();
  CHECK(w.opens_with() == codes::secret_key_missing);
  w.options.makes = false;  // switched off, and what was sealed still has to be read
  CHECK(w.opens_with() == codes::secret_key_missing);
  CHECK(w.bytes() == before);
}

TEST_CASE("tenant keys: switched off nobody gets one, and those that there are still open") {
  world w;
  const auto text = sealed_by(*w.open(), ann);
  w.options.makes = false;
  const auto keys = w.open();
  CHECK_FALSE(keys->unused());
  CHECK(keys->for_writing(ann).value() == nullptr);
  CHECK(keys->for_writing(bob).value() == nullptr);
  CHECK(opens(*keys, ann, text));
  world none;
  none.options.makes = false;
  none.options.wraps.clear();
  CHECK(none.open()->unused());
}

TEST_CASE("tenant keys: rotation wraps all anew, and the old key opens nothing any more") {
  world w;
  auto keys = w.open();
  const auto text = sealed_by(*keys, ann);
  (void)sealed_by(*keys, bob);
  CHECK(keys->rotate({wrap('n'), wrap('w')}).value() == 2);
  CHECK(keys->rotate({wrap('n')}).value() == 0);
  CHECK(opens(*keys, ann, text));
  CHECK(w.opens_with() == codes::secret_key_wrong);
  w.options.wraps = {wrap('n')};
  CHECK(opens(*w.open(), ann, text));
  CHECK(code_of(w.open()->rotate({})) == codes::secret_key_missing);
}

TEST_CASE("tenant keys: an erased one is gone for ever, and nothing of it is in the folder") {
  world w;
  auto keys = w.open();
  const auto text = sealed_by(*keys, ann), hers = sealed_by(*keys, bob);
  const auto of_ann = [&] {
    for (const auto& one : fs::directory_iterator(w.folder / "keys")) {
      std::ifstream in(one.path());
      const std::string all{std::istreambuf_iterator<char>(in), {}};
      if (all.find("\nann\n") != all.npos) return all;
    }
    return std::string();
  };
  const auto before = of_ann();
  const auto wrapped = before.substr(before.find("v1."));
  CHECK(keys->erase(ann, 42).value());
  CHECK(w.bytes().find(wrapped.substr(0, 20)) == std::string::npos);
  CHECK(of_ann().find("erased 42") != std::string::npos);
  for (int round = 0; round < 2; ++round) {
    CHECK(keys->erased(ann));
    CHECK_FALSE(opens(*keys, ann, text));
    CHECK(code_of(keys->for_reading(ann)) == codes::tenant_erased);
    CHECK(code_of(keys->for_writing(ann)) == codes::tenant_erased);
    CHECK(opens(*keys, bob, hers));
    CHECK_FALSE(keys->erase(ann, 43).value());
    keys = w.open();
  }
  CHECK_FALSE(keys->erase(tenant_id("never seen"), 1).value());
  CHECK(code_of(keys->for_writing(tenant_id("never seen"))) == codes::tenant_erased);
}

TEST_CASE("tenant keys: an erasure that a crash interrupted was none, or is finished") {
  world w;
  auto keys = w.open();
  const auto text = sealed_by(*keys, ann);
  fs::path file;
  for (const auto& one : fs::directory_iterator(w.folder / "keys")) file = one.path();
  const auto old = file.string() + ".old";
  fs::create_hard_link(file, old);
  keys = w.open();  // before it was said
  CHECK(opens(*keys, ann, text));
  CHECK_FALSE(fs::exists(old));
  CHECK(keys->erase(ann, 42).value());
  std::ofstream(old) << "v1.what was wrapped";
  keys = w.open();  // after it
  CHECK(keys->erased(ann));
  CHECK_FALSE(fs::exists(old));
  CHECK(w.bytes().find("what was wrapped") == std::string::npos);
}

TEST_CASE("tenant keys: a file that is no key stops the opening, and one half written does not") {
  world w;
  (void)sealed_by(*w.open(), ann);
  fs::path file;
  for (const auto& one : fs::directory_iterator(w.folder / "keys")) file = one.path();
  std::ofstream(file.string() + ".new") << "half";
  CHECK(w.opens_with().empty());
  // And so does not what others put there while they copy.
  std::ofstream(w.folder / ("keys/." + file.filename().string() + ".Ab12Cd")) << "half";
  fs::create_directory(w.folder / "keys/lost+found");
  CHECK(w.opens_with().empty());
  // Another tenant's key under this one's name would make its texts readable to nobody.
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  text.replace(text.find("\nann\n"), 5, "\nbob\n");
  std::ofstream(file) << text;
  CHECK(w.opens_with() == codes::storage_corrupt);
  std::ofstream(file) << "";
  CHECK(w.opens_with() == codes::storage_corrupt);
}

TEST_CASE(
    "tenant keys: one that could not be noted is noted by the next try, and no other is made") {
  world w;
  std::vector<std::string> told;
  bool takes = false;
  w.options.on_made = [&](const tenant_id&, std::string_view print) -> result<void> {
    told.emplace_back(print);
    return takes ? result<void>() : error(codes::storage_unavailable, "no");
  };
  auto keys = w.open();
  CHECK(code_of(keys->for_writing(ann)) == codes::storage_unavailable);
  CHECK(code_of(keys->for_writing(ann)) == codes::storage_unavailable);
  CHECK(code_of(keys->for_reading(ann)) == codes::secret_key_missing);
  takes = true;
  const auto text = sealed_by(*keys, ann);
  REQUIRE(told.size() == 3);
  CHECK(told[0] == told[1]);
  CHECK(told[1] == told[2]);
  keys = w.open();  // also where a kill came before the note was taken
  CHECK(opens(*keys, ann, text));
  CHECK(keys->check(ann, told[0]));
}

TEST_CASE("tenant keys: an id with a line of its own is nobody's") {
  world w;
  auto keys = w.open();
  const tenant_id two{"ann\ns-1"};
  CHECK(code_of(keys->erase(two, 1)) == codes::config_invalid);
  CHECK(code_of(keys->for_writing(two)) == codes::config_invalid);
  CHECK_FALSE(keys->erased(two));
  CHECK(w.opens_with().empty());
}
