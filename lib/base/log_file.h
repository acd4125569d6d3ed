// base/log_file: ascp_rproxy.log in <log_directory>, which sessions of different
// users append to at the same time.
//
//   Dec  5 17:32:11 test1 ascp_rproxy[26250]: LOG Connection closed (EOF) ...
//
// It is root:sallyport 0620, so that sessions can add to it and not read it,
// and append-only (chattr +a) where the file system can, so that they cannot
// cut it off either. Each line is one write(2) on an O_APPEND descriptor of its
// own, so that lines never mix, and follow the file's name after a rotation.
#pragma once

#include <ctime>
#include <string>

namespace log_file {

constexpr char kName[] = "ascp_rproxy.log";

// With its newline; what is longer is cut, and says so.
constexpr std::size_t kMaxLine = 4096;

// One line, with its newline. `text` has no control characters.
std::string line(std::time_t now, const std::string& ident, const std::string& text);

// Adds `line`. Empty when it is in the file; otherwise why not. The directory
// must belong to root and be writable by nobody else; the file must be a
// regular one of root's that not everybody may write to.
std::string append(const std::string& directory, const std::string& line);

// Makes directory and file where they are missing, and mends owner and mode of
// the file. For root. Nothing to do when `directory` is empty. An append-only
// flag that somebody took off the file stays off, or rotation would fail.
// Failure{71}.
void prepare(const std::string& directory);

}  // namespace log_file
