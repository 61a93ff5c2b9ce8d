// The parts of a document that is a zip archive of XML files.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "extract/extract.hpp"

namespace soma::extract {

// Unpacks the parts that are wanted, by their names. Throws `unreadable`: broken, protected, or
// too_large, where they are more than they may be in all or than their packed size lets expect.
std::map<std::string, std::string> unpack(std::string_view bytes, const limits& bounds,
                                          const std::function<bool(const std::string&)>& wanted);

// What a reader of XML is told, in the order of the text. Names are without their prefix.
class xml_listener {
 public:
  virtual ~xml_listener() = default;
  // `attribute`: the value of the one with this name, prefix and all; empty where there is none.
  virtual void on_begin(std::string_view name,
                        const std::function<std::string(const char*)>& attribute) = 0;
  virtual void on_text(std::string_view text) = 0;
  virtual void on_end(std::string_view name) = 0;
  virtual bool enough() const { return false; }
};

// Throws `unreadable` (broken) where it is not well-formed, nests too deeply, or has a document
// type: those define entities, and no such document needs one. What came before has been told.
void read_xml(const std::string& part, const limits& bounds, xml_listener& to);

}  // namespace soma::extract
