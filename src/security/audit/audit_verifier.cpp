#include "security/audit/audit_verifier.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "core/codes.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_manifest.hpp"
#include "security/digest.hpp"

namespace soma::security {
namespace {

// A server that runs may be in the middle of a line.
constexpr int torn_looks = 10;
constexpr std::chrono::milliseconds torn_wait{20};

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

class looker {
 public:
  explicit looker(const audit_check& how)
      : may_lack_past_(how.may_lack_past),
        is_closed_(how.is_closed),
        key_(how.public_key),
        kept_(how.kept) {
    if (how.since) kept_.push_back(*how.since);
    std::sort(kept_.begin(), kept_.end(), [](auto& a, auto& b) { return a.seq < b.seq; });
  }

  // The next record has to follow this one.
  void begin_behind(std::uint64_t seq, const std::string& hash) {
    place_ = {seq, hash};
    begun_at_ = seq;
    tree_ = {};
    tree_first_ = seq == 0 ? 1 : seq;
    if (seq > 0) tree_.add(hash);
    for (; next_kept_ < kept_.size() && kept_[next_kept_].seq < seq; ++next_kept_)
      if (!may_lack_past_) {
        (void)wrong(kept_[next_kept_].seq, {},
                    "is what the head that was kept is of, and it is not there; compare that head "
                    "with the copies");
        return;
      }
    for (auto i = next_kept_; i < kept_.size() && kept_[i].seq == seq; ++i)
      if (kept_[i].hash != hash)
        (void)wrong(seq, {}, "is another than when the head that was kept was made");
  }

  bool take(std::string_view line, const std::string& file) {
    const auto expected = place_.seq + 1;
    const auto link = audit_link_of(line);
    if (!link) return wrong(expected, file, "is no record by its form");
    if (link->seq != expected)
      return wrong(expected, file,
                   link->seq > expected
                       ? "is missing: the next one there is " + number(link->seq)
                       : "stands where record " + number(link->seq) + " is put or comes again");
    if (link->prev_hash != place_.hash)
      return wrong(expected, file,
                   "does not follow the record before it, which is another than it was or one of "
                   "the two was put in");
    if (audit_hash_of(line) != link->hash)
      return wrong(expected, file, "was changed: its hash is not that of what it says");
    const bool is_head = link->what == audit_head_what;
    if (is_head && !take_head(line, file)) return false;
    if (!is_head && expected - std::max(head_seq_, begun_at_) > audit_unsigned_max)
      return wrong(expected, file,
                   "and the " + number(audit_unsigned_max) +
                       " before it are signed by nobody: there is a head before so many");
    if (link->what == audit_damaged_what)
      return wrong(expected, file, "says that a start found those before it not to be right");
    place_.seq = expected;
    place_.hash.assign(link->hash);
    ++out_.records;
    if (out_.first == 0) out_.first = expected;
    if (!is_as_kept(expected, line, link->what, file)) return false;
    if (is_head) {
      tree_ = {};
      tree_first_ = head_seq_ = expected;
      ++out_.heads;
      out_.is_signed = true;
    }
    ends_with_head_ = is_head;
    tree_.add(place_.hash);
    return true;
  }

  bool wrong(std::uint64_t seq, const std::string& file, std::string why) {
    out_.right = false;
    out_.seq = seq;
    out_.file = file;
    out_.why = "record " + number(seq) + " " + std::move(why);
    failed_ = true;
    return false;
  }

  // Who signed it, and that it is what was kept, before anything is compared with it.
  template <class Signed>
  bool trust(const Signed& what, std::uint64_t seq, const std::string& name) {
    if (!is_well_signed(what)) return wrong(seq, {}, name + " is not signed by its key");
    if (key_.empty()) key_ = what.public_key;
    if (what.public_key != key_)
      return wrong(seq, {}, name + " is signed by another key: " + what.key_id);
    if (chain_.empty()) chain_ = what.chain;
    if (what.chain != chain_) return wrong(seq, {}, name + " is of another chain");
    return true;
  }
  bool trust_kept() {
    for (const auto& one : kept_)
      if (!trust(one, one.seq, "of the head that was kept")) return false;
    return true;
  }
  bool trust_checkpoint(const audit_head& what) {
    return out_.is_signed = trust(what, what.seq, "of the checkpoint");
  }
  // Nothing more comes into this file.
  void end_file(const std::string& file) {
    if (!failed_ && !ends_with_head_)
      (void)wrong(place_.seq + 1, file,
                  "should be there and a head: a file that another follows ends with one");
  }

  bool failed() const { return failed_; }
  const audit_place& place() const { return place_; }

  audit_verdict end() {
    // A head is a record itself, behind those that it speaks of.
    if (!failed_ && next_kept_ < kept_.size())
      (void)wrong(place_.seq + 1, {},
                  "is missing: there was a head of records up to " + number(kept_.back().seq));
    out_.behind_head = place_.seq - std::max(head_seq_, begun_at_);
    // From a kept head on that head is signed, and nothing may have come since.
    const bool is_known = out_.is_signed || (!kept_.empty() && kept_.back().seq >= begun_at_);
    if (!failed_ && !is_known)
      (void)wrong(place_.seq + 1, {},
                  "should be a head: nobody has signed any of those that are there");
    if (!failed_ && is_closed_ && out_.behind_head > 0)
      (void)wrong(
          place_.seq + 1, {},
          "should be a head: nobody has signed the " + number(out_.behind_head) + " before it");
    out_.right = !failed_;
    out_.last = place_.seq;
    out_.last_hash = place_.hash;
    out_.chain = chain_;
    out_.key_id = audit_key_id(key_);
    return std::move(out_);
  }

  void cut_off(const std::string& file) {
    (void)wrong(place_.seq + 1, file, "is cut off in its middle");
  }
  void nothing_there() { (void)wrong(place_.seq + 1, {}, "is missing, and all behind it"); }

 private:
  // `seq` is the number of `line`; its hash was found to be right.
  bool is_as_kept(std::uint64_t seq, std::string_view line, std::string_view what,
                  const std::string& file) {
    for (auto i = next_kept_; i < kept_.size() && kept_[i].seq == seq; ++i)
      if (kept_[i].hash != place_.hash)
        return wrong(seq, file, "is another than when the head that was kept was made");
    for (; next_kept_ < kept_.size() && kept_[next_kept_].seq + 1 == seq; ++next_kept_) {
      const auto head = what == audit_head_what ? head_in(line) : std::nullopt;
      if (!head || head->signature != kept_[next_kept_].signature)
        return wrong(seq, file, "is not the head that was kept");
    }
    return true;
  }

  bool take_head(std::string_view line, const std::string& file) {
    const auto seq = place_.seq + 1;
    const auto head = head_in(line);
    if (!head || head->is_checkpoint) return wrong(seq, file, "is no head by its form");
    if (head->seq != place_.seq || head->hash != place_.hash)
      return wrong(seq, file, "is a head of other records than those before it");
    if (!is_well_signed(*head)) return wrong(seq, file, "is a head that is not signed by its key");
    if (key_.empty()) key_ = head->public_key;
    if (head->public_key != key_)
      return wrong(seq, file, "is a head that is signed by another key: " + head->key_id);
    if (chain_.empty()) chain_ = head->chain;
    if (head->chain != chain_) return wrong(seq, file, "is a head of another chain");
    // What stands before the place where it was begun is not known here.
    if (head->first < tree_first_ && begun_at_ == tree_first_) return true;
    if (head->first != tree_first_ || head->root != tree_.root())
      return wrong(seq, file, "is a head whose tree is not that of the records before it");
    return true;
  }

  const bool may_lack_past_, is_closed_;
  std::string key_, chain_;
  std::vector<audit_head> kept_;
  std::size_t next_kept_ = 0;
  audit_place place_;
  audit_tree tree_;
  std::uint64_t tree_first_ = 1, begun_at_ = 0, head_seq_ = 0;
  bool ends_with_head_ = true;  // or has nothing yet
  bool failed_ = false;
  audit_verdict out_;
};

// The lines of a file; at its end those of a line that is being written.
result<void> look_through(looker& by, const std::string& path, bool is_newest,
                          std::uint64_t behind) {
  std::size_t taken = 0;
  for (int look = 0;; ++look) {
    std::size_t at = 0;
    const auto take = [&](std::string_view line) {
      if (at++ < taken) return true;
      ++taken;
      if (behind > 0) {
        const auto link = audit_link_of(line);
        if (link && link->seq <= behind) return true;
        behind = 0;
      }
      return by.take(line, path);
    };
    const auto torn = each_audit_line(path, take);
    if (!torn) return torn.error();
    if (by.failed()) return {};
    if (torn->empty()) {
      if (!is_newest) by.end_file(path);
      return {};
    }
    if (!is_newest || look == torn_looks) {
      by.cut_off(path);
      return {};
    }
    std::this_thread::sleep_for(torn_wait);
  }
}

result<audit_verdict> verify_file(const std::string& path, looker& by, const audit_check& how) {
  if (how.since) {
    by.begin_behind(how.since->seq, how.since->hash);
  } else {
    // An export begins where it was asked to.
    const auto first = [&](std::string_view line) {
      if (const auto link = audit_link_of(line); link && link->seq > 1)
        by.begin_behind(link->seq - 1, std::string(link->prev_hash));
      return false;
    };
    if (const auto read = each_audit_line(path, first); !read) return read.error();
  }
  if (auto done = look_through(by, path, true, how.since ? how.since->seq : 0); !done)
    return done.error();
  return by.end();
}

// ---- copies by day ----

bool is_there(const std::string& path) {
  std::error_code ec;
  return std::filesystem::exists(path, ec);
}

// Folders that have a manifest: this one, or those in it.
std::vector<std::string> copied_days(const std::string& path) {
  if (is_there(path + "/manifest.json")) return {path};
  std::vector<std::string> out;
  std::error_code ec;
  for (std::filesystem::directory_iterator at(path, ec), end; !ec && at != end; at.increment(ec))
    if (is_there(at->path().string() + "/manifest.json")) out.push_back(at->path().string());
  std::sort(out.begin(), out.end());
  return out;
}

result<std::string> sha256_of(const std::string& path) {
  sha256_stream hash;
  const auto take = [&hash](std::string_view line) {
    hash.update(line);
    hash.update("\n");
    return true;
  };
  const auto rest = each_audit_line(path, take);
  if (!rest) return rest.error();
  hash.update(*rest);
  return hex(bytes_of(hash.finish()));
}

// One file of a manifest. The first of all says itself what it follows.
result<void> look_through_copy(looker& by, const std::string& folder, const audit_copy& one,
                               bool is_first, std::uint64_t behind) {
  const auto path = folder + "/" + one.name;
  if (is_first) by.begin_behind(one.first - 1, one.prev_hash);
  if (by.failed()) return {};
  if (!is_there(path)) {
    (void)by.wrong(one.first, {}, "is missing: there is no " + path);
    return {};
  }
  if (auto looked = look_through(by, path, false, behind); !looked || by.failed()) return looked;
  const auto sha256 = sha256_of(path);
  if (!sha256) return sha256.error();
  if (*sha256 != one.sha256 || by.place().seq != one.last || by.place().hash != one.hash)
    (void)by.wrong(one.first, path, "and those behind it are others than the manifest says");
  return {};
}

// Each file is as its manifest says, and all of them are one chain.
result<audit_verdict> verify_copies(const std::string& path, const std::vector<std::string>& days,
                                    looker& by, const audit_check& how) {
  std::map<std::uint64_t, std::pair<std::string, audit_copy>> files;  // by their first record
  for (const auto& day : days) {
    const auto manifest = manifest_in(day);
    if (!manifest) return manifest.error();
    if (!*manifest) continue;
    const auto& listed = (*manifest)->files;
    const auto first = listed.empty() ? 1 : listed.front().first;
    if (!by.trust(**manifest, first, "stands where the manifest of " + day)) return by.end();
    for (const auto& one : listed) files.emplace(one.first, std::pair(day, one));
  }
  bool is_first = !how.since;
  const auto behind = how.since ? how.since->seq : 0;
  if (how.since) by.begin_behind(behind, how.since->hash);
  if (files.empty()) by.nothing_there();
  // Of one day nobody asks for those before it.
  const bool is_past_asked = is_first && !how.may_lack_past && !is_there(path + "/manifest.json");
  if (is_past_asked && !files.empty() && files.begin()->first > 1)
    (void)by.wrong(1, {},
                   "is missing: the oldest there is " + number(files.begin()->first) +
                       "; where older days were put elsewhere, check from a head on that was kept");
  for (const auto& [first, file] : files) {
    if (by.failed()) break;
    if (file.second.last <= behind) continue;
    auto looked = look_through_copy(by, file.first, file.second, is_first, behind);
    if (!looked) return looked.error();
    if (by.failed()) break;
    is_first = false;
  }
  return by.end();
}

}  // namespace

result<audit_verdict> verify_audit(const std::string& path, const audit_check& how) {
  looker by(how);
  if (!by.trust_kept()) return by.end();
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) return verify_file(path, by, how);

  if (const auto days = copied_days(path); !days.empty()) return verify_copies(path, days, by, how);
  const auto checkpoint = audit_checkpoint(path);
  if (!checkpoint) return checkpoint.error();
  auto segments = audit_segments(path);
  if (*checkpoint) {
    if (!by.trust_checkpoint(**checkpoint)) return by.end();
    while (segments.size() > 1 && segments[1].first <= (*checkpoint)->seq + 1)
      segments.erase(segments.begin());
  }
  std::uint64_t behind = 0;
  if (how.since && (!*checkpoint || how.since->seq >= (*checkpoint)->seq)) {
    by.begin_behind(how.since->seq, how.since->hash);
    behind = how.since->seq;
    while (segments.size() > 1 && segments[1].first <= behind + 1) segments.erase(segments.begin());
  } else if (*checkpoint) {
    by.begin_behind((*checkpoint)->seq, (*checkpoint)->hash);
  }
  if (segments.empty()) by.nothing_there();
  for (std::size_t i = 0; i < segments.size() && !by.failed(); ++i)
    if (auto done = look_through(by, segments[i].path, i + 1 == segments.size(), behind); !done)
      return done.error();
  return by.end();
}

}  // namespace soma::security
