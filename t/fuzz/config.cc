// aspera.conf: whatever is accepted can be edited, and what comes out is accepted, says what was
// asked for, and is otherwise the same.
//
// options: -max_len=4096
// seeds: t/corpus
#include "config/config.h"
#include "../../cmd/asconfigurator/editor.h"
#include "../../cmd/asconfigurator/item.h"
#include "../../cmd/asuserdata/advice.h"
#include "config/schema.h"
#include "config/xml.h"
#include "fuzz.h"

namespace {

constexpr char kFile[] = "aspera.conf";

void edited(const std::string& text, const config::Config& before, const char* item, auto expect) {
  auto expected = before;
  expect(expected);
  for (const auto& change : asconfigurator::parse_item(item)) {
    const auto made = fuzz::accepted(tool::config, [&] { return asconfigurator::apply(text, change, kFile); });
    if (!made) continue;
    const auto after = config::parse(made->text, kFile);
    fuzz::must(after.rproxy.log_level == expected.rproxy.log_level, "the level is what was set");
    fuzz::must(after.rproxy.log_directory == expected.rproxy.log_directory, "the directory is what was set");
    fuzz::must(after.rproxy.rules.size() == before.rproxy.rules.size() && after.proxy == before.proxy &&
                   after.cluster == before.cluster,
               "an edit changes nothing else");
    fuzz::must(asconfigurator::apply(made->text, change, kFile).text == made->text, "an edit is made once");
  }
}

void extents(const config::xml::Element& element, std::size_t size) {
  const auto& at = element.extent;
  fuzz::must(at.begin <= at.body && at.body <= at.body_end && at.body_end <= at.end && at.end <= size,
             "an element stands within the text");
  for (const auto& child : element.children) extents(child, size);
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  const auto document = fuzz::accepted(tool::config, [&] { return config::xml::parse(text, kFile); });
  if (!document) return;
  extents(*document, text.size());
  const auto config = fuzz::accepted(tool::config, [&] { return config::parse(text, kFile); });
  if (!config) return;
  for (const auto& rule : config->rproxy.rules) {
    for (const auto& host : rule.hosts) fuzz::must(host.port != 0, "a host has a port");
    fuzz::must(rule.udp_port_range.low <= rule.udp_port_range.high, "a range is not upside down");
  }
  asuserdata::advice(config->rproxy);
  edited(text, *config, "set_server_data;rproxy_log_level,2", [](auto& it) { it.rproxy.log_level = 2; });
  edited(text, *config, "set_server_data;rproxy_log_directory,/var/l&g/<\xc3\xa4>",
         [](auto& it) { it.rproxy.log_directory = "/var/l&g/<\xc3\xa4>"; });
}
