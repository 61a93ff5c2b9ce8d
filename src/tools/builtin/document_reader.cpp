#include "tools/builtin/document_reader.hpp"

#include <fcntl.h>

#include <future>
#include <utility>

#include "core/codes.hpp"
#include "core/file_kind.hpp"
#include "tools/worker_pool.hpp"

namespace soma::tools {
std::unique_ptr<sandbox_run> document_reader::extract(const wanted_document& wanted,
                                                      extracted_done on_end) const {
  auto file = parts_.attachments.find(wanted.reader(), wanted.attachment_id);
  if (!file) {
    on_end({}, file.error());
    return nullptr;
  }
  extraction what;
  what.owner = wanted.tenant.value;
  what.input_fd =
      open_without_waiting(file->path.c_str(), O_RDONLY | (file->held ? 0 : O_NOFOLLOW));
  if (what.input_fd < 0) {
    on_end(*file, error(codes::storage_unavailable, "the attachment's bytes are missing"));
    return nullptr;
  }
  what.declared = wanted.declared.empty() ? file->content_type : wanted.declared;
  what.limits = wanted.limits;
  what.structure = wanted.remember && parts_.keeper;
  return parts_.reader.start(
      std::move(what), [file = *file, on_end = std::move(on_end)](result<extracted> document) {
        on_end(file, std::move(document));
      });
}

std::shared_ptr<void> document_reader::enter(const tenant_id& tenant) const {
  return parts_.imports ? parts_.imports->enter(tenant) : std::make_shared<char>();
}

std::unique_ptr<sandbox_run> document_reader::start(const wanted_document& wanted,
                                                    done on_end) const {
  // Shared, so that it can be left before anybody is told, whoever still holds the work.
  const auto place = std::make_shared<std::shared_ptr<void>>();
  if (wanted.remember && parts_.keeper) {
    *place = enter(wanted.tenant);
    if (!*place) {
      on_end(error(codes::tool_busy, "other documents are being kept", 1));
      return nullptr;
    }
  }
  // By value: what is kept takes as long as the disk does, and the tool may be gone before.
  return extract(wanted, [me = *this, wanted, place, on_end = std::move(on_end)](
                             const attachment& file, result<extracted> document) {
    if (!document) {
      place->reset();
      return on_end(document.error());
    }
    auto read = std::make_shared<document_read>();
    read->file = file;
    read->document = std::move(*document);
    if (!wanted.remember || !me.parts_.keeper) return on_end(std::move(*read));
    // This is the thread of all sandboxes, which must not wait for the disk.
    auto work = [me, wanted, read, place, on_end] {
      auto kept = me.keep(wanted, std::move(*read));
      place->reset();
      on_end(std::move(kept));
    };
    if (me.parts_.workers.post(std::move(work))) return;
    place->reset();
    on_end(error(codes::tool_busy, "too many tools wait to run", 1));
  });
}

result<document_read> document_reader::keep(const wanted_document& wanted,
                                            document_read read) const {
  document_to_keep what;
  what.tenant = wanted.tenant;
  what.user_id = wanted.user_id;
  what.session_id = wanted.session_id;
  what.answer = wanted.answer;
  what.attachment_id = wanted.attachment_id;
  what.filename = read.file.filename;
  what.content_type = read.document.content_type;
  what.text = read.document.text;
  what.cut = read.document.truncated || read.document.metadata.contains("pages_read");
  auto kept = parts_.keeper->keep(what);
  if (!kept) return kept.error();
  // Whoever deletes the file deletes what is kept of it; but perhaps while it was being kept.
  if (auto still = parts_.attachments.find(wanted.reader(), wanted.attachment_id); !still) {
    (void)parts_.keeper->forget(wanted.tenant, wanted.attachment_id);
    return still.error();
  }
  read.kept = std::move(*kept);
  return read;
}

result<kept_document> document_reader::import(wanted_document wanted) const {
  if (!parts_.keeper) return error(codes::tool_unavailable, "nothing is remembered here");
  wanted.remember = true;
  // Before he is told that another keeps it already, and as what.
  if (auto file = parts_.attachments.find(wanted.reader(), wanted.attachment_id); !file)
    return file.error();
  auto before = parts_.keeper->find(wanted.tenant, wanted.attachment_id);
  if (!before) return before.error();
  if (*before) {
    if (auto kept = parts_.keeper->keep_answer(wanted.answer, **before); !kept) return kept.error();
    return std::move(**before);
  }
  std::promise<result<document_read>> promise;
  auto whole = promise.get_future();
  const auto run = extract(wanted, [&](const attachment& file, result<extracted> document) {
    if (!document) return promise.set_value(document.error());
    document_read read;
    read.file = file;
    read.document = std::move(*document);
    promise.set_value(std::move(read));
  });
  auto read = whole.get();
  if (!read) return read.error();
  auto kept = keep(wanted, std::move(*read));
  if (!kept) return kept.error();
  return std::move(*kept->kept);
}

}  // namespace soma::tools
