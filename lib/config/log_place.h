// config/log_place: where lines go, as aspera.conf says.
#pragma once

namespace config {
enum class Author;
struct Rproxy;
}  // namespace config

namespace config::log_place {

// <log_level> and <log_directory> are in force from here on.
void follow(const config::Rproxy& rproxy);

// The same of the installed aspera.conf, for programs that have not read it, or
// cannot: what fails that early belongs where the sessions are logged. Without the
// file, or with a wrong one, nothing changes; others say what is wrong with it.
void follow(config::Author author);

// log_file::prepare() for its <log_directory>. For root. Failure{71}.
void prepare();

}  // namespace config::log_place
