// complete() walks over the words as the parser would, but takes any mistake in earlier words
// silently. The scripts below are tested in their shells.
#include "sdk/cli/completion.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto-spec/config/help.h"
#include "sdk/cli/command_line.h"
#include "sdk/cli/posix_output.h"

namespace loglog::cli {
namespace {

using Words = std::vector<std::pair<std::string, std::string>>;

/// The option that a word names, with or without "=VALUE"; nullptr: the word names none.
const CLI::Option* option_of(const CLI::App& app, const std::string& word) {
  return word.starts_with("-") ? app.get_option_no_throw(word.substr(0, word.find('='))) : nullptr;
}

const CLI::Option* positional_of(const CLI::App& app, std::size_t index) {
  const auto all = app.get_options([](const CLI::Option* o) { return o->get_positional(); });
  return index < all.size() ? all[index] : nullptr;
}

void keep_begun(Words& words, const std::string& begun) {
  std::erase_if(words, [&](const auto& w) { return !w.first.starts_with(begun); });
}

/// Adds the candidates for a value of option `o`.
void add_values(Completion& c, const CLI::Option& o, const std::string& begun) {
  const std::string type = config::value_name_of(o);
  for (const std::string& choice : config::choices_of(o)) c.words.emplace_back(choice, "");
  c.begun = begun;
  if (type == log_type) c.from = Completion::From::logs;
  else if (type == file_type) c.from = Completion::From::files;
  else if (type == folder_type) c.from = Completion::From::folders;
  keep_begun(c.words, begun);
}

void add_options(Completion& c, const CLI::App& app, const std::string& begun) {
  for (const CLI::Option* o :
       app.get_options([](const CLI::Option* x) { return x->nonpositional(); }))
    for (const std::string& name : o->get_lnames())
      c.words.emplace_back("--" + name, config::meaning_of(*o));
  keep_begun(c.words, begun);
}

}  // namespace

Completion complete(const CLI::App& root, const std::vector<std::string>& words) {
  Completion c;
  if (words.empty()) return c;
  const CLI::App* app = &root;
  const CLI::Option* open = nullptr;  // the option before, if the next word may be its value
  std::size_t positional = 0;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    const CLI::Option* before = std::exchange(open, nullptr);
    // If the value may be left out, a word that begins with a hyphen is the next option.
    const bool is_value =
        before != nullptr && (before->get_expected_min() > 0 || !word.starts_with("-"));
    if (is_value) {
      if (before->check_lname("cluster")) c.cluster = word;
      continue;
    }
    if (const CLI::Option* o = option_of(*app, word)) {
      const auto equals = word.find('=');
      if (equals == std::string::npos && config::takes_value(*o)) open = o;
      if (equals != std::string::npos && o->check_lname("cluster"))
        c.cluster = word.substr(equals + 1);
    } else if (!word.starts_with("-")) {
      const auto below = commands_of(*app);
      const auto next = std::find_if(below.begin(), below.end(),
                                     [&](const CLI::App* a) { return a->get_name() == word; });
      if (next != below.end()) app = *next;
      else ++positional;
    }
  }
  const std::string& last = words.back();
  if (open != nullptr && (open->get_expected_min() > 0 || !last.starts_with("-"))) {
    add_values(c, *open, last);
  } else if (const auto equals = last.find('=');
             last.starts_with("--") && equals != std::string::npos) {
    c.before = last.substr(0, equals + 1);
    if (const CLI::Option* o = option_of(*app, last)) add_values(c, *o, last.substr(equals + 1));
  } else if (last.starts_with("-")) {
    add_options(c, *app, last);
  } else if (const auto below = commands_of(*app); !below.empty()) {
    for (const CLI::App* a : below) c.words.emplace_back(a->get_name(), a->get_description());
    keep_begun(c.words, last);
  } else if (const CLI::Option* o = positional_of(*app, positional)) {
    add_values(c, *o, last);
  } else {
    add_options(c, *app, last);
  }
  return c;
}

int print_completions(std::vector<std::string> words) {
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  const CommandLine line;
  Completion c = complete(line.app, words);
  if (c.from == Completion::From::files) put(":files\n");
  if (c.from == Completion::From::folders) put(":folders\n");
  if (c.from == Completion::From::logs) {
    Target target;
    if (!c.cluster.empty()) target.addresses = CLI::detail::split(c.cluster, ',');
    target.options.timeout = std::chrono::milliseconds(700);  // a person waits for the candidates
    auto client = target.connect();
    const auto logs = client ? client->list_logs() : std::unexpected(client.error());
    if (logs)  // without a cluster there are no candidates, and an error has no place to go
      for (const LogDetails& l : *logs)
        if (l.name.starts_with(c.begun)) c.words.emplace_back(l.name, "");
  }
  for (const auto& [word, what] : c.words) put("{}{}\t{}\n", c.before, word, what);
  return 0;
}

std::string_view completion_script(std::string_view shell) {
  static constexpr std::string_view bash =
      R"(# bash completion of loglog and its servers; made by: loglog completions bash
_loglog() {
  local line=${COMP_LINE:0:COMP_POINT} own=${COMP_WORDS[COMP_CWORD]} program role word words current
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[-1]}
  program=${words[0]}
  words=("${words[@]:1}")
  role=${program##*/loglog}
  role=${role##loglog}
  if [[ $role == -* ]]; then # loglog-storage is loglog storage, of the same folder
    words=("${role#-}" "${words[@]}")
    program=${program%"$role"}
  fi
  type -P -- "$program" >/dev/null || program=loglog
  # bash sees words of its own where there is an = or a : and puts what is offered in place of the last of them.
  [[ $own == [=:] ]] && own=
  COMPREPLY=()
  while IFS=$'\t' read -r word _; do
    case $word in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$own") ;;
      :folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$own") ;;
      *) COMPREPLY+=("${word#"${current%"$own"}"}") ;;
    esac
  done < <("$program" complete -- "${words[@]}" 2>/dev/null)
}
complete -F _loglog loglog loglog-storage loglog-sequencer
)";
  static constexpr std::string_view zsh = R"(#compdef loglog loglog-storage loglog-sequencer
# zsh completion of loglog and its servers; made by: loglog completions zsh
_loglog() {
  local program=${(Q)words[1]} role line
  local -a given lines found
  given=("${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}")
  role=${${program:t}#loglog}
  if [[ $role == -* ]]; then # loglog-storage is loglog storage, of the same folder
    given=("${role#-}" "${given[@]}")
    program=${program%$role}
  fi
  (( $+commands[$program] )) || [[ -x $program ]] || program=loglog
  lines=("${(@f)$("$program" complete -- "${given[@]}" 2>/dev/null)}")
  for line in "${lines[@]}"; do
    case $line in
      '') ;;
      :files) compset -P '*='; _files ;;
      :folders) compset -P '*='; _files -/ ;;
      *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#found )) && _describe loglog found
}
if [[ ${funcstack[1]} == _loglog ]]; then _loglog "$@"; else compdef _loglog loglog loglog-storage loglog-sequencer; fi
)";
  static constexpr std::string_view fish =
      R"(# fish completion of loglog and its servers; made by: loglog completions fish
function __loglog_complete
    set -l given (commandline -opc) (commandline -ct)
    set -l program $given[1]
    set -e given[1]
    set -l role (string match -r -- '-(?:storage|sequencer)$' $program)
    if test -n "$role" # loglog-storage is loglog storage, of the same folder
        set -p given (string sub -s 2 -- $role)
        set program (string replace -r -- "$role\$" '' $program)
    end
    type -q $program; or set program loglog
    for line in ($program complete -- $given 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path (commandline -ct)
            case :folders
                __fish_complete_directories (commandline -ct)
            case '*'
                echo $line
        end
    end
end
for program in loglog loglog-storage loglog-sequencer
    complete -c $program -f -a '(__loglog_complete)'
end
)";
  return shell == "bash" ? bash : shell == "zsh" ? zsh : fish;
}

void add_completions(CLI::App& app, Run& run) {
  auto shell = std::make_shared<std::string>();
  auto output = std::make_shared<std::string>();
  auto* c = app.add_subcommand(
      "completions", "print the script that completes commands, options and log names in a shell");
  c->add_option("SHELL", *shell, "the shell")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  c->add_option("--output", *output, "write it to this file (default: stdout)")
      ->type_name(file_type);
  c->footer(
      R"(An installed loglog brings them where the shells look. The scripts ask `loglog complete` for each word, which asks the
cluster for the names of logs (at LOGLOG_CLUSTER, or at the --cluster of the line) and is silent where none answers.

Examples:
  source <(loglog completions bash)
  loglog completions zsh > ~/.zfunc/_loglog
  loglog completions fish --output ~/.config/fish/completions/loglog.fish)");
  c->callback([&run, shell, output] {
    run = [shell, output] {
      if (!output->empty()) return write_file(*output, completion_script(*shell));
      put("{}", completion_script(*shell));
      return 0;
    };
  });
}

}  // namespace loglog::cli
