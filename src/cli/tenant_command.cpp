// soma tenant erase.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "cli/commands.hpp"
#include "core/codes.hpp"
#include "core/shown_text.hpp"
#include "node/tenant_erasure.hpp"
#include "security/secrets/tenant_keys.hpp"

namespace soma {
namespace {

int refuse(const error& why) {
  std::fprintf(stderr, "soma: %s\n", terminal_text(why.detail).c_str());
  return 1;
}

unsigned long long shown(std::uint64_t n) {
  return n;
}

void tell(const char* did, const tenant_id& tenant, const erased_tenant& what) {
  std::printf(
      "%s %s: %llu sessions with %llu events, %llu memories, %llu attachments, %llu keys "
      "of users and sign-ins, %llu rows on their way.\n",
      did, tenant.value.c_str(), shown(what.sessions), shown(what.events), shown(what.memories),
      shown(what.attachments), shown(what.identities), shown(what.outbox_rows));
}

bool confirmed(const tenant_id& tenant) {
  std::fprintf(stderr, "Nothing brings it back. Type the tenant's id to go on: ");
  std::string line;
  return std::getline(std::cin, line) && line == tenant.value;
}

}  // namespace

int erase_tenant(const config_sources& from, const tenant_options& wanted) {
  auto settings = load_config(from);
  if (!settings) return refuse(settings.error());
  const tenant_id tenant(wanted.tenant);
  if (!wanted.yes) {
    const auto there = look_at_tenant(*settings, tenant, wanted.with_admin_key);
    if (!there) return refuse(there.error());
    tell("Would erase", tenant, *there);
    if (!confirmed(tenant)) return refuse({codes::config_invalid, "nothing was changed"});
  }
  const auto done = erase_tenant(*settings, tenant, wanted.with_admin_key);
  if (!done) return refuse(done.error());
  tell("Erased", tenant, *done);
  const auto folder = security::tenant_keys_folder(settings->text("storage.data_dir"));
  if (done->had_key)
    std::printf(
        "Its key is destroyed: what was sealed under it is unreadable in every backup, unless "
        "a copy of %s of before is kept. Destroy such copies, or run soma secrets rotate and "
        "destroy the old GATEWAY_ENC_KEY, which makes them worthless.\n",
        folder.c_str());
  if (!done->had_key || done->plain_events + done->plain_files + done->plain_values > 0)
    std::printf(
        "In the clear, also in backups of before: %llu events, %llu files of attachments and %llu "
        "memories, ratings, titles and snapshots that were written while storage.encrypt_events "
        "was off. They are deleted here; "
        "destroy those backups.\n",
        shown(done->plain_events), shown(done->plain_files), shown(done->plain_values));
  std::printf(
      "The next start takes what was deleted off the disk within a minute, and makes the index "
      "of memories anew.\n");
  return 0;
}

}  // namespace soma
