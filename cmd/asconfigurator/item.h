// item: the changes that asconfigurator is asked to make.
//
//   set_server_data;rproxy_enabled,true;rproxy_log_level,1
//   set_user_data;user_name,faspex;authorization_transfer_in_value,token
//   set_node_data;absolute,AS_NULL
//
// A command, then pairs of name and value. A value extends from the first comma to
// the next semicolon; \; stands for a semicolon in it, any other backslash for
// itself. White space around a value is ignored, as in the file, and so are blanks
// around a name, and a semicolon at the end. user stands for set_user_data, and so on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace asconfigurator {

// One value of one element.
struct Change {
  config::schema::Path section;      // from the document element: {"server"}
  std::string account;               // if there are several such sections, the one with this <name>; empty: any
  config::schema::Item item;         // the item below the section
  std::optional<std::string> value;  // absent (AS_NULL): removed, so that the default holds
};

// The names are those of config::schema::items; the values are valid for their elements, in UTF-8, and
// not empty. Failure{64} says what is wrong with an item; it does not repeat a secret.
std::vector<Change> parse_item(std::string_view text);

}  // namespace asconfigurator
