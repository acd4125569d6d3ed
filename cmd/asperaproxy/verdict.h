// verdict: the doctor's judgement on one condition.
//
//   FAIL  ip_forward: 0, so that no packet is forwarded - asperaproxy start
#pragma once

#include <string>
#include <vector>

namespace doctor {

enum class Grade { ok, warn, fail };

struct Verdict {
  Grade grade = Grade::ok;
  std::string what;
  std::string cure;  // empty when it is ok
};

inline Verdict ok(std::string what) { return {Grade::ok, std::move(what), {}}; }
inline Verdict warn(std::string what, std::string cure) { return {Grade::warn, std::move(what), std::move(cure)}; }
inline Verdict fail(std::string what, std::string cure) { return {Grade::fail, std::move(what), std::move(cure)}; }

// A verdict together with the name of its condition.
struct Finding {
  std::string name;
  Verdict verdict;
};

// Pure. One line each, "ok    name: what" or "FAIL  name: what - cure".
std::string text(const std::vector<Finding>& findings);
// Pure. An array of {grade, name, what, cure}, ASCII only.
std::string json(const std::vector<Finding>& findings);
bool any_failed(const std::vector<Finding>& findings);

}  // namespace doctor
