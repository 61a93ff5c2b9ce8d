#include "security/secrets/key_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "support/result_text.hpp"

using namespace soma;
using namespace soma::security;

namespace {

struct folder {
  folder() { REQUIRE(::mkdtemp(name) != nullptr); }
  ~folder() { std::filesystem::remove_all(name); }
  std::string path() const { return std::string(name) + "/keys"; }
  void write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path()) << text;
    ::chmod(path().c_str(), mode);
  }
  char name[32] = "/tmp/soma-keys-XXXXXX";
};

std::string text_of(const std::vector<secret_string>& keys) {
  std::string all;
  for (const auto& key : keys) all += key.reveal();
  return all;
}

}  // namespace

TEST_CASE_FIXTURE(folder, "key file: each rotation puts a fresh key before the old ones") {
  CHECK(read_key_file(path()).error().code == "config.invalid");
  CHECK(*add_key_to_file(path()) == 1);
  const auto first = read_key_file(path());
  REQUIRE(first);
  CHECK(*add_key_to_file(path()) == 2);
  const auto second = read_key_file(path());
  REQUIRE(second);
  CHECK(text_of(*second).substr(32) == text_of(*first));
  CHECK(text_of(*second).substr(0, 32) != text_of(*first));
  struct stat info {};
  REQUIRE(::stat(path().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(!std::filesystem::exists(path() + ".new"));
}

TEST_CASE_FIXTURE(folder,
                  "key file: what is no list of keys, or open to others, is refused as it is") {
  const std::string good(64, 'a');
  for (const auto& [text, mode] : {std::pair<std::string, mode_t>{"", 0600},
                                   {"\n\n", 0600},
                                   {good + "\nrubbish\n", 0600},
                                   {good + "\n", 0644},
                                   {std::string(5000, '\n'), 0600}}) {
    CAPTURE(text);
    write(text, mode);
    CHECK(read_key_file(path()).error().code == "config.invalid");
    if (!text.empty() && text != "\n\n") CHECK(!add_key_to_file(path()));
  }
}

TEST_CASE("key file: keys are separated by commas or line ends") {
  const std::string a(64, 'a'), b(64, 'b');
  for (const auto& text : {a + "," + b, a + "\n" + b + "\n", a + "\r\n\r\n" + b}) {
    const auto keys = parse_encryption_keys(text);
    REQUIRE(keys);
    CHECK(text_of(*keys) == std::string(32, '\xaa') + std::string(32, '\xbb'));
  }
  CHECK(parse_encryption_keys("")->empty());
}
