// base/log_file: ascp_rproxy.log in <log_directory>, to which helpers of different sessions append at the same time.
//
//   Dec  5 17:32:11 test1 ascp_rproxy[26250]: LOG Connection closed (EOF) ...
//
// Root's processes alone write to it, and what they write on behalf of a user is bounded. Each line is one
// write(2) on an O_APPEND descriptor of its own, so lines never mix, and they follow the file's name after a rotation.
// A line is whole or absent: of one that did not fit, the beginning is cut off again, under the file's lock (flock(2)),
// which each writer has for its write, and waits for at most 2 s.
#pragma once

#include <sys/types.h>

#include <ctime>
#include <optional>
#include <string>

namespace log_file {

constexpr char kName[] = "ascp_rproxy.log";

// The limit of a line with its newline; a longer one is cut, and says so.
constexpr std::size_t kMaxLine = 4096;

// Formats one line, with its newline. `text` has no control characters.
std::string line(std::time_t now, const std::string& ident, const std::string& text);

// As much of the file may a user's sessions fill a day, by UTC. What is beyond that goes to syslog.
constexpr std::size_t kShare = 64 << 20;
// The directory below /run/sallyport that has what each used; session/spool makes it.
constexpr char kShares[] = "logged";

// Appends `line`, on behalf of user `of` if that is given. Returns an empty text, or the reason why it failed. The
// directory and the file must be such that root alone may write to them; the file is made when it is missing.
std::string append(const std::string& directory, const std::string& line, std::optional<uid_t> of = {});

// Empty, or the reason why lines could not be written there; changes nothing.
std::string complaint(const std::string& directory);

// Makes the directory where it is missing. Takes the place of a file to which others may write, with what it has.
// For root, one process at a time. Does nothing when `directory` is empty. Failure{71}.
void prepare(const std::string& directory);

}  // namespace log_file
