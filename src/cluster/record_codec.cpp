#include "cluster/record_codec.hpp"

#include <limits>

#include "cluster/packed_bytes.hpp"
#include "core/checksum.hpp"
#include "core/codes.hpp"

namespace soma::cluster {
namespace {

enum class kind : std::uint8_t {
  born = 1,
  claim = 2,
  atom = 3,
  alive = 4,
  release = 5,
  format_opened = 6
};

constexpr std::size_t sum_bytes = 8;
constexpr std::uint64_t looked_at = 2;  // of a document, beside 0: deleted, and 1: written
constexpr auto number32_max = std::numeric_limits<std::uint32_t>::max();
constexpr auto number16_max = std::numeric_limits<std::uint16_t>::max();

// ---- writing ----

kind kind_of(const record& one) {
  if (std::holds_alternative<born>(one.what)) return kind::born;
  const auto* under = std::get_if<owned>(&one.what);
  if (!under) return kind::claim;
  switch (under->what.index()) {
    case 0: return kind::atom;
    case 1: return kind::alive;
    case 2: return kind::release;
    default: return kind::format_opened;
  }
}

// Each takes a value apart by name: a member that is added is missing here, and nothing builds.

void put(packed_writer& out, const born& one) {
  const auto& [changelog, partition, partitions, epoch, format] = one;
  out.text(changelog);
  out.number(partition);
  out.number(partitions);
  out.number(epoch);
  out.number(format);
}

void put(packed_writer& out, const claim& one) {
  const auto& [changelog, replaces, epoch, owner, incarnation, digest] = one;
  out.text(changelog);
  out.sign_and_number(replaces);
  out.number(epoch);
  out.text(owner);
  out.text(incarnation);
  out.word(digest);
}

void put(packed_writer& out, const document_write& one) {
  const auto& [collection, key, expected, value, only_looked_at] = one;
  out.text(collection);
  out.text(key);
  out.number(expected.has_value());
  if (expected) out.sign_and_number(*expected);
  out.number(only_looked_at ? looked_at : value.has_value());
  if (value && !only_looked_at) out.text(*value);
}

void put(packed_writer& out, const atom& one) {
  const auto& [session, epoch, events, expected, removes, keys, documents, source, body] = one;
  out.text(session.tenant.value);
  out.text(session.session.value);
  out.number(epoch);
  out.number(events);
  out.number(expected.has_value());
  if (expected) out.number(*expected);
  out.number(removes);
  out.number(keys.size());
  for (const auto& [key, ttl_ms] : keys) {
    out.text(key);
    out.sign_and_number(ttl_ms);
  }
  out.number(documents.size());
  for (const auto& document : documents) put(out, document);
  out.number(source.has_value());
  if (source) {
    const auto& [partition, offset, after] = *source;
    out.number(partition);
    out.sign_and_number(offset);
    out.sign_and_number(after);
  }
  out.text(body);
}

void put(packed_writer&, const alive&) {}
void put(packed_writer& out, const release& one) {
  out.text(one.to);
}
void put(packed_writer& out, const format_opened& one) {
  out.number(one.format);
}

void put(packed_writer& out, const owned& one) {
  const auto& [claim, n, time_ms, digest, what] = one;
  out.sign_and_number(claim);
  out.number(n);
  out.sign_and_number(time_ms);
  out.word(digest);
  std::visit([&](const auto& of) { put(out, of); }, what);
}

// ---- reading ----

born take_born(packed_reader& in) {
  born one;
  one.changelog = in.text();
  one.partition = static_cast<std::uint32_t>(in.number(number32_max));
  one.partitions = static_cast<std::uint32_t>(in.number(number32_max));
  one.epoch = static_cast<std::uint32_t>(in.number(number32_max));
  one.format = static_cast<std::uint16_t>(in.number(number16_max));
  return one;
}

claim take_claim(packed_reader& in) {
  claim one;
  one.changelog = in.text();
  one.replaces = in.sign_and_number();
  one.epoch = static_cast<std::uint32_t>(in.number(number32_max));
  one.owner = in.text();
  one.incarnation = in.text();
  one.digest = in.word();
  return one;
}

document_write take_document(packed_reader& in) {
  document_write one;
  one.collection = in.text();
  one.key = in.text();
  if (in.flag()) one.expected = in.sign_and_number();
  const auto what = in.number(looked_at);
  one.only_looked_at = what == looked_at;
  if (what == 1) one.value = in.text();
  return one;
}

atom take_atom(packed_reader& in) {
  atom one;
  one.session.tenant = tenant_id(in.text());
  one.session.session = session_id(in.text());
  one.epoch = static_cast<std::uint32_t>(in.number(number32_max));
  one.events = static_cast<std::uint32_t>(in.number(number32_max));
  if (in.flag()) one.expected = in.number();
  one.removes = in.flag();
  for (auto left = in.count(); left > 0 && in.good(); --left) {
    auto& use = one.keys.emplace_back();
    use.key = in.text();
    use.ttl_ms = in.sign_and_number();
  }
  for (auto left = in.count(); left > 0 && in.good(); --left)
    one.documents.push_back(take_document(in));
  if (in.flag()) {
    auto& tag = one.source.emplace();
    tag.partition = static_cast<std::uint32_t>(in.number(number32_max));
    tag.offset = in.sign_and_number();
    tag.after = in.sign_and_number();
  }
  one.body = in.text();
  return one;
}

owned take_owned(packed_reader& in, kind what) {
  owned one;
  one.claim = in.sign_and_number();
  one.n = in.number();
  one.time_ms = in.sign_and_number();
  one.digest = in.word();
  switch (what) {
    case kind::atom: one.what = take_atom(in); break;
    case kind::release: one.what = release{in.text()}; break;
    case kind::format_opened:
      one.what = format_opened{static_cast<std::uint16_t>(in.number(number16_max))};
      break;
    default: one.what = alive{};
  }
  return one;
}

std::uint64_t word_at_start(std::string_view bytes) {
  return packed_reader(bytes).word();
}

}  // namespace

std::string encode(const record& one) {
  std::string out(sum_bytes, '\0');
  packed_writer write(out);
  write.number(one.format);
  write.number(static_cast<std::uint8_t>(kind_of(one)));
  std::visit([&](const auto& of) { put(write, of); }, one.what);
  std::string sum;
  packed_writer(sum).word(checksum(std::string_view(out).substr(sum_bytes)));
  out.replace(0, sum_bytes, sum);
  return out;
}

std::uint64_t sum_of(std::string_view bytes) {
  return word_at_start(bytes);
}

result<read_record> decode(std::string_view bytes) {
  const error damaged{codes::storage_corrupt, "the record is cut or damaged"};
  if (bytes.size() > record_bytes_max)
    return error(codes::storage_corrupt, "the record is larger than any that is written");
  if (bytes.size() < sum_bytes + 2) return damaged;
  read_record read;
  read.sum = word_at_start(bytes);
  bytes.remove_prefix(sum_bytes);
  if (checksum(bytes) != read.sum) return damaged;
  packed_reader in(bytes);
  const auto format = in.number();
  const auto what = in.number();
  if (!in.good()) return damaged;
  if (format < format_first || format > format_newest)
    return error(codes::storage_format, "the record is of format " + std::to_string(format) +
                                            ", and this program knows up to " +
                                            std::to_string(format_newest));
  read.one.format = static_cast<std::uint16_t>(format);
  if (what < 1 || what > static_cast<std::uint8_t>(kind::format_opened))
    return error(codes::storage_format, "the record is of kind " + std::to_string(what) +
                                            ", which this program does not know");
  switch (static_cast<kind>(what)) {
    case kind::born: read.one.what = take_born(in); break;
    case kind::claim: read.one.what = take_claim(in); break;
    default: read.one.what = take_owned(in, static_cast<kind>(what));
  }
  if (!in.all_taken()) return damaged;
  return read;
}

}  // namespace soma::cluster
