// advice: settings that are valid in aspera.conf, but hardly intended.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "config/xml.h"

namespace asuserdata {

struct Advice {
  unsigned long at;  // line
  std::string text;
};

// A docroot that nothing on this host enforces, since commands of its accounts run inside.
std::vector<Advice> docroot_advice(const config::xml::Element& document);

// A rule that can never match because one above it always does; a reverse proxy
// that is on and has no rules; a rule whose host_ip is of another family than all
// its hosts.
std::vector<Advice> advice(const config::Rproxy& rproxy);

}  // namespace asuserdata
