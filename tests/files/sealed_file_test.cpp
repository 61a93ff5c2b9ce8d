#include "files/sealed_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/codes.hpp"
#include "files/attachment_audit.hpp"
#include "files/attachment_store.hpp"
#include "files/open_file.hpp"
#include "security/digest.hpp"
#include "storage/attachment_rows.hpp"
#include "support/result_text.hpp"
#include "support/temp_folder.hpp"

using namespace soma;
using namespace soma::files;
namespace fs = std::filesystem;

namespace {

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Every byte tells where it was.
std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t n = 0; n < size; ++n) text[n] = static_cast<char>((n * 31 + n / 251) & 0xff);
  return text;
}

struct sealed_one {
  testing::temp_folder folder;
  security::value_key key{secret_string(std::string(32, 'k'))};
  std::string path = folder / "file";

  void write(const std::string& text, std::size_t piece = 10'000) {
    file_sealer sealer(key);
    std::string all;
    for (std::size_t at = 0; at < text.size(); at += piece)
      all += sealer.add(std::string_view(text).substr(at, piece));
    all += sealer.finish();
    CHECK(all.size() == sealed_file_bytes(text.size()));
    std::ofstream(path, std::ios::binary) << all;
  }
  result<std::string> read(std::uint64_t size, std::uint64_t at, std::size_t bytes) {
    const soma::files::file_handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const auto by = file_unsealer::open(key, file.get(), size);
    if (!by) return by.error();
    return (*by)->read(file.get(), at, bytes);
  }
};

constexpr std::size_t frame = sealed_frame_bytes;

}  // namespace

TEST_CASE("sealed file: any part of it is read as it was written") {
  sealed_one f;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, frame - 1, frame, frame + 1, 2 * frame, 3 * frame + 77}) {
    CAPTURE(size);
    const auto text = text_of(size);
    f.write(text);
    if (size > 100) CHECK(read_all(f.path).find(text.substr(0, 50)) == std::string::npos);
    CHECK(f.read(size, 0, size).value() == text);
    CHECK(f.read(size, 0, size + 100).value() == text);
    CHECK(f.read(size, size, 10).value().empty());
    for (const std::uint64_t at : {frame - 3, frame, 2 * frame - 1, 2 * frame + 5})
      if (at < size) CHECK(f.read(size, at, 9).value() == text.substr(at, 9));
    if (size > 2 * frame) CHECK(f.read(size, 10, 2 * frame).value() == text.substr(10, 2 * frame));
  }
}

TEST_CASE("sealed file: one that was cut, joined, reordered or changed does not open") {
  sealed_one f;
  const auto size = 3 * frame;
  f.write(text_of(size));
  const auto whole = read_all(f.path);
  const auto refused = [&](const std::string& bytes, std::uint64_t as, std::uint64_t at) {
    std::ofstream(f.path, std::ios::binary | std::ios::trunc) << bytes;
    const auto got = f.read(as, at, frame);
    return !got && got.error().code == codes::storage_corrupt;
  };
  const std::size_t one = frame + 16;
  // Cut after a frame, and said to be no longer: its last frame is not the last one.
  CHECK(refused(whole.substr(0, whole.size() - one), 2 * frame, frame));
  CHECK(refused(whole.substr(0, whole.size() - 1), size, 2 * frame));
  auto swapped = whole;
  std::swap_ranges(swapped.begin() + 32, swapped.begin() + 32 + one, swapped.begin() + 32 + one);
  CHECK(refused(swapped, size, 0));
  CHECK(refused(whole + whole.substr(32), 6 * frame, 2 * frame));
  for (const std::size_t at : {std::size_t{0}, std::size_t{20}, std::size_t{40}, 32 + frame + 3}) {
    auto changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK(refused(changed, size, 0));
  }
  CHECK(refused("", size, 0));
  // An empty one has a frame that says so.
  f.write("");
  const auto empty = read_all(f.path);
  CHECK(refused(empty.substr(0, 32), 0, 0));
}

TEST_CASE("sealed file: the same bytes get another form each time, and one name a tenant") {
  sealed_one f;
  f.write("same");
  const auto first = read_all(f.path);
  f.write("same");
  CHECK(read_all(f.path) != first);
  const security::value_key other(secret_string(std::string(32, 'o')));
  const auto sha = security::hex(security::bytes_of(security::sha256("same")));
  CHECK(is_sha256(sealed_file_name(f.key, sha)));
  CHECK(sealed_file_name(f.key, sha) == sealed_file_name(f.key, sha));
  CHECK(sealed_file_name(f.key, sha) != sealed_file_name(other, sha));
}

namespace {

struct plain_eyes final : scanner {
  std::string saw;
  scan_result scan(const std::string& path) override {
    saw = read_all(path);
    return {verdict::clean, {}};
  }
};

struct world {
  testing::temp_folder folder;
  std::unique_ptr<storage::event_log> log = storage::make_memory_event_log();
  std::unique_ptr<security::tenant_keys> keys;
  std::unique_ptr<attachment_store> store;
  plain_eyes judge;
  const tenant_id tenant{"t"}, other{"other"};
  const attachment_reader me{tenant, "u", false};

  world() { open(true); }
  void open(bool seals) {
    store.reset();
    keys =
        security::tenant_keys::open({folder / "keys", {secret_string(std::string(32, 'w'))}, seals})
            .value();
    store_options options;
    options.folder = folder / "attachments";
    options.types = {"*/*"};
    options.keys = keys.get();
    store = std::move(*attachment_store::open(*log, options, &judge));
  }
  stored_attachment send(const std::string& bytes, const tenant_id& whose) {
    auto file = store->begin(whose);
    REQUIRE(file);
    REQUIRE(store->append(*file, bytes));
    auto made = store->add(std::move(*file), {whose, "u", "the secret name.txt", {}});
    REQUIRE(made);
    return *made;
  }
  std::string read(const stored_attachment& a) {
    auto bytes = store->open_bytes(a);
    REQUIRE(bytes);
    return open_file(std::move(*bytes)).read(0, a.size_bytes + 1);
  }
  std::size_t files() const {
    std::size_t count = 0;
    for (const auto& one : fs::recursive_directory_iterator(folder / "attachments"))
      count += one.is_regular_file();
    return count;
  }
  std::string rows() const {
    std::string all;
    for (const auto& [key, value] :
         log->list_documents(storage::attachment_collection, "", 1000).value())
      all += key + value;
    return all;
  }
};

}  // namespace

TEST_CASE("sealed attachments: bytes, name and hash are on the disk in no readable form") {
  world w;
  const std::string text = "what nobody else may read";
  const auto a = w.send(text, w.tenant);
  CHECK(w.judge.saw == text);  // the scanner looks at what came
  CHECK(a.sha256 == security::hex(security::bytes_of(security::sha256(text))));
  CHECK(w.store->path_of(a).find(a.sha256) == std::string::npos);
  CHECK(read_all(w.store->path_of(a)).find("nobody") == std::string::npos);
  CHECK(w.rows().find(a.sha256) == std::string::npos);
  CHECK(w.rows().find("secret name") == std::string::npos);
  const auto found = w.store->look(w.me, a.id);
  REQUIRE(found);
  CHECK(found->filename == "the secret name.txt");
  CHECK(found->sha256 == a.sha256);
  CHECK(w.read(*found) == text);
  const auto given = w.store->find(w.me, a.id);
  REQUIRE(given);
  CHECK(read_all(given->path) == text);
  w.open(false);  // switched off it is still read
  CHECK(w.read(w.store->look(w.me, a.id).value()) == text);
}

TEST_CASE("sealed attachments: bytes are kept once a tenant, and go with the last of them") {
  world w;
  const auto a = w.send("same", w.tenant), b = w.send("same", w.tenant);
  CHECK(w.files() == 1);
  const auto theirs = w.send("same", w.other);
  CHECK(w.files() == 2);
  CHECK(w.store->path_of(a) == w.store->path_of(b));
  CHECK(w.store->path_of(a) != w.store->path_of(theirs));
  auto known = w.store->find_known(a.sha256, {w.tenant, "u", "again.txt", {}});
  REQUIRE(known);
  REQUIRE(*known);
  std::vector<attachment_store::whole_file> one;
  one.push_back(std::move(**known));
  const auto c = w.store->add_all(std::move(one)).value().front();
  CHECK(w.store->look(w.me, c.id)->filename == "again.txt");
  CHECK(w.store->remove_orphans() == 0);
  for (const auto& gone : {a, b, c}) REQUIRE(w.store->remove(w.tenant, gone.id));
  CHECK(w.files() == 1);
  CHECK(w.read(theirs) == "same");
}

TEST_CASE("sealed attachments: damage is found, also in a copy whose owner has no key") {
  world w;
  const auto a = w.send(std::string(100'000, 'x'), w.tenant);
  const auto all = bytes_of_attachments(*w.log).value();
  REQUIRE(all.size() == 1);
  CHECK(all[0].name == a.content);
  CHECK(find_damaged_bytes(w.folder / "attachments", all).empty());
  const auto path = w.store->path_of(a);
  auto bytes = read_all(path);
  bytes[70'000] = static_cast<char>(bytes[70'000] ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
  CHECK(find_damaged_bytes(w.folder / "attachments", all).size() == 1);
  CHECK(w.store->open_bytes(a).error().code == codes::storage_corrupt);
  fs::resize_file(path, 65'536 + 48);
  CHECK(w.store->open_bytes(a).error().code == codes::storage_corrupt);
}

TEST_CASE("sealed attachments: of an erased tenant nothing can be read, and what it has goes") {
  world w;
  const auto a = w.send("said", w.tenant), theirs = w.send("said", w.other);
  REQUIRE(w.keys->erase(w.tenant, 1));
  CHECK(w.store->look(w.me, a.id).error().code == codes::tenant_erased);
  CHECK(w.store->open_bytes(a).error().code == codes::tenant_erased);
  CHECK(w.store->begin(w.tenant).error().code == codes::tenant_erased);
  CHECK(w.read(theirs) == "said");
  // The janitor is not stopped by it.
  CHECK(w.store->tidy(a.created_at_ms + 40ll * 24 * 3'600'000, 100).value() > 0);
}

TEST_CASE("sealed attachments: those of before are read beside those of after") {
  world w;
  w.open(false);
  const auto before = w.send("plain", w.tenant);
  CHECK(w.store->path_of(before).find(before.sha256) != std::string::npos);
  w.open(true);
  const auto after = w.send("plain", w.tenant);
  CHECK(w.files() == 2);
  CHECK(w.read(w.store->look(w.me, before.id).value()) == "plain");
  CHECK(w.read(w.store->look(w.me, after.id).value()) == "plain");
}

TEST_CASE(
    "sealed attachments: the same bytes sent again stay good for a copy, whoever came first") {
  world w;
  for (int n = 0; n < 8; ++n) {  // ids are random, and the first of a pair's is looked at
    const auto text = "twin " + std::to_string(n);
    const auto a = w.send(text, w.tenant), b = w.send(text, w.tenant);
    CHECK(w.read(a) == text);
    CHECK(w.read(b) == text);
  }
  const auto all = bytes_of_attachments(*w.log).value();
  CHECK(all.size() == 8);
  CHECK(find_damaged_bytes(w.folder / "attachments", all).empty());
}

TEST_CASE(
    "sealed attachments: damaged bytes that are sent again are mended for all that have them") {
  world w;
  for (int n = 0; n < 8; ++n) {
    const auto text = "mended " + std::to_string(n);
    const auto a = w.send(text, w.tenant);
    std::ofstream(w.store->path_of(a), std::ios::binary) << "damaged";
    CHECK(
        find_damaged_bytes(w.folder / "attachments", bytes_of_attachments(*w.log).value()).size() ==
        1);
    const auto b = w.send(text, w.tenant);
    CHECK(w.read(w.store->look(w.me, a.id).value()) == text);
    CHECK(w.read(w.store->look(w.me, b.id).value()) == text);
    CHECK(
        find_damaged_bytes(w.folder / "attachments", bytes_of_attachments(*w.log).value()).empty());
    CHECK(w.store->look(w.me, a.id)->filename == "the secret name.txt");
  }
}

TEST_CASE("sealed attachments: one that is refused leaves the bytes of its twin as they were") {
  world w;
  const auto a = w.send("held", w.tenant);
  storage::idempotency_record answer;
  answer.key = "t\nu\nupload\n\none";
  answer.request_hash = "h";
  answer.created_at_ms = 1;
  REQUIRE(w.log->put_idempotency(answer, {}));
  auto file = w.store->begin(w.tenant);
  REQUIRE(w.store->append(*file, "held"));
  std::vector<attachment_store::whole_file> one;
  one.push_back(w.store->finish(std::move(*file), {w.tenant, "u", "x.txt", {}}).value());
  CHECK(w.store->add_all(std::move(one), &answer).error().code == codes::idempotency_exists);
  CHECK(w.read(a) == "held");
  CHECK(find_damaged_bytes(w.folder / "attachments", bytes_of_attachments(*w.log).value()).empty());
}

TEST_CASE("sealed attachments: bytes that lie there in the clear are not known, and come sealed") {
  world w;
  w.open(false);
  const auto before = w.send("plain", w.tenant);
  const origin_of_file mine{w.tenant, "u", "a new secret name.txt", {}};
  CHECK(w.store->find_known(before.sha256, mine).value());
  w.open(true);
  CHECK_FALSE(w.store->find_known(before.sha256, mine).value());
  (void)w.send("plain", w.tenant);
  CHECK(w.store->find_known(before.sha256, mine).value());
}

TEST_CASE("sealed file: copies in memory have a bound together, and room comes back") {
  sealed_one w;
  const std::string text(copy_in_memory_bytes_max, 'x');
  w.write(text, 1 << 20);
  const soma::files::file_handle file(::open(w.path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto by = file_unsealer::open(w.key, file.get(), text.size()).value();
  const auto copy = [&] { return copy_to_memory(*by, file.get(), text.size()); };
  std::vector<copy_in_memory> all;
  while (all.size() < copies_in_memory_bytes_max / copy_in_memory_bytes_max)
    all.push_back(copy().value());
  CHECK(read_all(all.back().path) == text);
  CHECK(copy().error().code == codes::server_busy);
  all.pop_back();
  CHECK(copy().has_value());
}
