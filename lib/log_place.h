// log_place: where lines go, for those who have not read aspera.conf, or cannot.
// What is wrong with it others will say.
#pragma once

#include "config.h"

namespace log_place {

// As the installed aspera.conf says. What failed early, before it was read,
// belongs where the sessions are logged; without it, in syslog.
void follow(config::Author author);

// log_file::prepare() for its <log_directory>. For root. Failure{71}.
void prepare();

}  // namespace log_place
