// How the bytes of new attachments get their name.
//
// Sealed bytes have another form each time, under one name, and every row of
// that name says which form lies there (stored_sha256): that is what a copy
// without a key is checked by. So a file that is whole stays, and who comes
// later takes over what is said of it; where one is damaged, those that came
// take its place and all rows are written anew.
#include <fcntl.h>

#include <algorithm>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "files/attachment_keys.hpp"
#include "files/attachment_store.hpp"

namespace soma::files {
namespace {

constexpr std::size_t rows_at_once = 500;

}  // namespace

// Of the file of that name. Empty: it is not there, or not whole.
result<std::string> attachment_store::whole_form_of(const stored_attachment& a,
                                                    const security::value_key& key) const {
  const auto damage = [](const error& why) { return why.code == codes::storage_corrupt; };
  const auto path = path_of(a);
  checked_files looks;  // what was found a while ago says nothing of the form there is now
  const auto file = looks.open(path, a.sha256, a.size_bytes, true, &key);
  if (!file) return damage(file.error()) ? result<std::string>(std::string()) : file.error();
  auto form = sha256_of_file(*file);
  if (!form && damage(form.error())) return std::string();
  return form;
}

// The rows of that name say another form: `with` gets them as they should be.
result<void> attachment_store::correct_forms(const stored_attachment& a, rows& with) const {
  const auto prefix = attachment_key({"sha", a.content}) + '\n';
  std::string after;
  for (;;) {
    auto page = log_.list_documents(attachment_collection, prefix, rows_at_once, after);
    if (!page) return page.error();
    if (page->empty()) return {};
    after = page->back().first;
    for (const auto& [key, value] : *page) {
      auto held = row(a.tenant, parts_of(key).back());
      if (!held) return held.error();
      if (!*held || (*held)->gone()) continue;
      // They are written together, so what holds for the first holds for all.
      if ((*held)->stored_sha256 == a.stored_sha256) return {};
      (*held)->stored_sha256 = a.stored_sha256;
      with.emplace_back(row_key(a.tenant, (*held)->id), encode_row(**held));
    }
  }
}

// Under the locks of their places.
result<void> attachment_store::name_bytes(std::vector<whole_file>& files, rows& with) {
  for (auto& [a, bytes] : files) {
    if (bytes.path().empty()) {
      auto held = any(attachment_key({"sha", a.content}));
      if (!held) return held.error();
      if (!*held) return unknown_attachment();  // gone since they were looked for
      if (!a.sealed()) continue;
      // Others may have mended them meanwhile.
      const auto key = key_of(a);
      if (!key) return key.error();
      auto form = whole_form_of(a, **key);
      if (!form) return form.error();
      if (!form->empty()) a.stored_sha256 = std::move(*form);
      continue;
    }
    if (!a.sealed()) {
      if (auto named = content_.publish(bytes); !named) return named;
      continue;
    }
    auto form = whole_form_of(a, *bytes.key());
    if (!form) return form.error();
    if (!form->empty())
      a.stored_sha256 = std::move(*form);
    else if (auto named = content_.publish(bytes); !named)
      return named;
    if (auto done = correct_forms(a, with); !done) return done;
  }
  return {};
}

}  // namespace soma::files
