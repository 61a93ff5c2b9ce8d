// `soma audit verify|prove|verify-proof|export|head|key`: the audit of a data folder. They only
// read, so a server may run on it meanwhile.
#include <algorithm>
#include <chrono>
#include <cstdio>

#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "node/audit.hpp"
#include "security/audit/audit_chain.hpp"
#include "security/audit/audit_folder.hpp"
#include "security/audit/audit_key.hpp"
#include "security/audit/audit_proof.hpp"
#include "security/audit/audit_verifier.hpp"

namespace soma {
namespace {

using namespace security;

int refuse(const error& why) {
  complain(why.detail);
  return 1;
}

// What heads and proofs have to be signed by: the file's, else the data folder's own; empty where
// neither is there.
result<std::string> trusted_key(const config& settings, const std::string& file) {
  if (!file.empty()) {
    auto text = text_of_file(file, config_bytes_max);
    if (!text) return text.error();
    auto key = public_text_of_pem(*text);
    if (key.empty()) return error(codes::config_invalid, file + ": is no public Ed25519 key");
    return key;
  }
  const auto& data_dir = settings.text("storage.data_dir");
  if (!audit_key::is_in(data_dir)) return std::string();
  auto key = audit_key::load(data_dir);
  if (!key) return key.error();
  return key->public_text();
}

result<audit_head> head_of(const std::string& file) {
  auto text = text_of_file(file, config_bytes_max);
  if (!text) return text.error();
  auto head = parse_audit_head(*text);
  if (!head) return error(codes::config_invalid, file + ": " + head.error().detail);
  return head;
}

result<audit_check> check_of(const config& settings, const audit_options& wanted) {
  audit_check how;
  how.may_lack_past = wanted.may_lack_past;
  how.is_closed = wanted.is_closed;
  auto key = trusted_key(settings, wanted.key);
  if (!key) return key.error();
  how.public_key = std::move(*key);
  if (!wanted.since.empty()) {
    auto since = head_of(wanted.since);
    if (!since) return since.error();
    how.since = std::move(*since);
  }
  if (!wanted.head.empty()) {
    auto head = head_of(wanted.head);
    if (!head) return head.error();
    how.kept.push_back(std::move(*head));
  }
  return how;
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

}  // namespace

int verify_audit(const config_sources& from, const audit_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto how = check_of(*settings, wanted);
  if (!how) return refuse(how.error());
  const auto path = wanted.file.empty() ? audit_folder(*settings) : wanted.file;
  const auto begun = std::chrono::steady_clock::now();
  const auto found = security::verify_audit(path, *how);
  if (!found) return refuse(found.error());
  if (!found->right) {
    complain(found->why + (found->file.empty() ? "" : " (" + found->file + ")"));
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  show(number(found->records) + " records are right, from number " + number(found->first) +
       " up to number " + number(found->last) +
       (found->is_signed ? "; signed by " + found->key_id : std::string()) + ", " +
       number(found->behind_head) + " of them not yet\n");
  if (found->behind_head > 0)
    complain("the newest " + number(found->behind_head) +
             " are signed by nobody yet: who has the files can have put them there, and can have "
             "taken away what followed; --closed does not let this pass, --head finds it");
  char speed[64];
  std::snprintf(speed, sizeof speed, "%.2f s, %.0f records/s\n", took.count(),
                static_cast<double>(found->records) / std::max(took.count(), 1e-6));
  show(speed);
  if (how->public_key.empty())
    complain("no public key was given: a chain that was written anew as a whole is not found");
  return 0;
}

int prove_audit(const config_sources& from, const audit_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto proofs = security::prove_audit(audit_folder(*settings), wanted.request);
  if (!proofs) return refuse(proofs.error());
  for (const auto& one : *proofs) show(one + "\n");
  return 0;
}

int verify_audit_proof(const config_sources& from, const audit_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto key = trusted_key(*settings, wanted.key);
  if (!key) return refuse(key.error());
  if (key->empty()) complain("no public key was given: the proof is only held against its own");
  // A line a proof.
  std::size_t right = 0;
  std::string why;
  const auto take = [&](std::string_view line) {
    const auto record = security::verify_audit_proof(line, *key);
    if (!record) {
      why = record.error().detail;
      return false;
    }
    ++right;
    show(*record + "\n");
    return true;
  };
  const auto rest = each_audit_line(wanted.file, take);
  if (!rest) return refuse(rest.error());
  if (why.empty() && !rest->empty()) (void)take(*rest);
  if (why.empty() && right == 0) why = "there is no proof in " + wanted.file;
  if (!why.empty()) {
    complain(why);
    return 1;
  }
  return 0;
}

int export_audit(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto take = [](std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    return std::ferror(stdout) == 0;
  };
  for (const auto& one : audit_segments(audit_folder(*settings)))
    if (auto read = each_audit_line(one.path, take); !read) return refuse(read.error());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int print_audit_head(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  std::string head;
  const auto take = [&head](std::string_view line) {
    const auto link = audit_link_of(line);
    if (link && link->what == audit_head_what)
      if (const auto found = head_in(line)) head = to_json(*found);
    return true;
  };
  const auto segments = audit_segments(audit_folder(*settings));
  for (auto at = segments.rbegin(); head.empty() && at != segments.rend(); ++at)
    if (auto read = each_audit_line(at->path, take); !read) return refuse(read.error());
  if (head.empty()) {
    complain("there is no head in " + audit_folder(*settings));
    return 1;
  }
  show(head + "\n");
  return 0;
}

int print_audit_key(const config_sources& from) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const auto key = audit_key::load(settings->text("storage.data_dir"));
  if (!key) return refuse(key.error());
  show(audit_key_pem(key->public_text()));
  return 0;
}

}  // namespace soma
