// code_execute: runs a program that the model wrote, in Python, Bash or JavaScript, in a sandbox
// without a network; where its entry names hosts in `egress`, it reaches those through a proxy of
// ours. Inputs {language, code, files?: [{path, text}], stdin?}; output {exit_code,
// stdout, stderr, truncated, files: [{path, size_bytes}]}: what it made or changed in its work
// folder.
//
// The work folder is the session's where the profile has `work_folder`, else one in memory that
// ends with the call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "tools/tool.hpp"

namespace soma::tools {

class egress_proxy;
class sandbox;
class worker_pool;

struct code_execute_parts {  // outlive the tool
  sandbox& box;
  worker_pool& workers;
  egress_proxy& egress;
  // The path of a session's work folder, made where it is not there yet. Called by a worker.
  std::function<result<std::string>(const session_key&)> work_folder;
  // Puts a file there as everybody does: in turn with others, within the folder's quota, as a
  // whole. Called by a worker; must be there where `work_folder` is.
  std::function<result<void>(const session_key&, std::string_view path, std::string_view bytes)>
      write_file;
};

std::unique_ptr<tool> make_code_execute(code_execute_parts parts);

}  // namespace soma::tools
