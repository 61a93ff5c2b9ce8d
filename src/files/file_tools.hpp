// file_read, file_write and file_list: the work folder of the session that calls. Each is a tool of
// its own. Failures are told by the codes of work_folder.hpp.
//
// Lifetime: folders and pool outlive the tools, and the tools their calls.
#pragma once

#include <memory>

#include "files/work_folder.hpp"
#include "tools/tool.hpp"
#include "tools/work_pool.hpp"

namespace soma::files {

// {path, offset?, bytes?} → {path, text, offset, bytes, size_bytes, more}. Text: bytes that are no
// UTF-8 become U+FFFD, and a piece is cut between characters.
std::unique_ptr<tools::tool> make_file_read(work_folders& folders, tools::work_pool& pool);
// {path, text, append?} → {path, size_bytes}
std::unique_ptr<tools::tool> make_file_write(work_folders& folders, tools::work_pool& pool);
// {text} → {path, size_bytes}: one after another in canvas.md.
std::unique_ptr<tools::tool> make_canvas_append(work_folders& folders, tools::work_pool& pool);
// {path?} → {path, entries: [{name, kind, size_bytes?, modified_at}], complete}
std::unique_ptr<tools::tool> make_file_list(work_folders& folders, tools::work_pool& pool);

}  // namespace soma::files
