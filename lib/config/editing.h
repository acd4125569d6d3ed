// config/editing: changes the text of an XML document in one place, and no other byte of it.
//
//   <rules>                      <rules>
//   </rules>                       <rule host_ip="198.51.100.39">
//                                    <host>203.0.113.10</host>
//                                  </rule>
//                                </rules>
//
// The elements are of the same text, parsed (config/xml). Values are written as they are: the caller has escaped them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/xml.h"

namespace config::editing {

struct Node {
  std::string name;
  std::string body;                                             // as written in the file
  std::vector<Node> children;                                   // instead of a body
  std::vector<std::pair<std::string, std::string>> attributes;  // as written in the file
};

// Makes `node` the last child of `parent`, indented like its siblings.
void insert(std::string& text, const xml::Element& document, const xml::Element& parent, const Node& node);
// Replaces the body of `element` and keeps its tags; <a/> becomes <a></a>.
void replace_body(std::string& text, const xml::Element& element, const std::string& body);
// Takes the line with it if nothing else is on it.
void remove(std::string& text, const xml::Element& element);

}  // namespace config::editing
