#include "conversation.h"

#include <unistd.h>

#include <cerrno>
#include <string_view>

#include <fmt/core.h>

#include "base/failure.h"
#include "base/io.h"
#include "base/logging.h"
#include "changes.h"
#include "listing.h"
#include "trouble.h"

namespace ascmd {
namespace {

using browse::Operation;
using browse::Request;

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::mkdir: return "as_mkdir";
    case Operation::rm: return "as_rm";
    case Operation::mv: return "as_mv";
    case Operation::cp: return "as_cp";
    default: return "";
  }
}

bool changes(Operation operation) { return *name_of(operation) != 0; }

void log_change(const Request& request, const std::string& how) {
  std::string paths;
  for (const auto& path : request.paths) paths += " " + logging::told(path);
  logging::event("{}: {}{}", how, name_of(request.operation), paths);
}

}  // namespace

Conversation::Conversation(const Rooted& root, Rights rights, browse::Info about)
    : root_(root), rights_(rights), about_(std::move(about)) {
  constexpr std::pair<Operation, const char*> kAll[] = {
      {Operation::ls, "ls"},       {Operation::du, "du"}, {Operation::df, "df"}, {Operation::md5sum, "md5sum"},
      {Operation::mkdir, "mkdir"}, {Operation::rm, "rm"}, {Operation::mv, "mv"}, {Operation::cp, "cp"}};
  for (const auto& [operation, name] : kAll) {
    if (may(operation)) about_.capabilities += (about_.capabilities.empty() ? "" : ",") + std::string(name);
  }
}

bool Conversation::may(Operation operation) const {
  switch (operation) {
    case Operation::ls:
    case Operation::du:
    case Operation::df: return rights_.list;
    case Operation::md5sum: return rights_.read;
    case Operation::mkdir:
    case Operation::rm:
    case Operation::mv: return rights_.write;
    case Operation::cp: return rights_.read && rights_.write;
    default: return true;
  }
}

void Conversation::serve(int in, int out) {
  io::write_all(out, browse::info_answer(about_));
  browse::Lines lines;
  char bytes[16384];
  for (;;) {
    const ssize_t count = ::read(in, bytes, sizeof bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) tool::fail_errno(tool::io, "read");
    if (count == 0) break;
    lines.add({bytes, static_cast<std::size_t>(count)});
    while (const auto line = lines.next()) {
      if (!answer(*line, out)) return;
    }
  }
  if (const auto line = lines.rest()) answer(*line, out);
}

bool Conversation::answer(const browse::Lines::Line& line, int out) {
  try {
    if (line.too_long) throw Trouble(E2BIG, "the line is too long");
    const auto request = browse::parse_request(line.text);
    if (!request) return true;
    if (request->operation == Operation::exit) return false;
    carry_out(*request, out);
  } catch (const Trouble& trouble) {
    io::write_all(out, browse::error_answer(trouble.number(), trouble.what()));
  } catch (const tool::Failure& failure) {
    if (failure.code() != tool::bad_input) throw;
    io::write_all(out, browse::error_answer(EINVAL, failure.what()));
  }
  return true;
}

void Conversation::carry_out(const Request& request, int out) {
  if (!may(request.operation)) throw Trouble(EACCES);
  if (request.operation == Operation::session_init) return;
  if (request.operation == Operation::ls)
    return list(root_, request.paths[0], request.globs, [&](std::string_view bytes) { io::write_all(out, bytes); });
  std::string answer;
  try {
    answer = result(request);
  } catch (const Trouble& trouble) {
    if (changes(request.operation)) log_change(request, fmt::format("Failed ({})", trouble.what()));
    throw;
  }
  if (changes(request.operation)) log_change(request, "Done");
  io::write_all(out, answer);
}

std::string Conversation::result(const Request& request) {
  const auto path = [&](std::size_t number) { return number < request.paths.size() ? request.paths[number] : "/"; };
  switch (request.operation) {
    case Operation::info: return browse::info_answer(about_);
    case Operation::du: return disk_usage(root_, path(0));
    case Operation::df: return disk_free(root_, path(0));
    case Operation::md5sum: return browse::md5sum_answer(md5sum(root_, path(0)));
    case Operation::mkdir: make_directory(root_, path(0)); break;
    case Operation::rm: remove(root_, path(0)); break;
    case Operation::mv: move(root_, path(0), path(1)); break;
    case Operation::cp: copy(root_, path(0), path(1)); break;
    default: break;
  }
  return browse::success_answer();
}

}  // namespace ascmd
