# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Sourced by cases of tests/queue. W is the directory of the case.
# shellcheck disable=SC2154

# hostile FILE: a git configuration with all that changes what git writes
hostile() {
	mkdir -p "$W/hooks" "$W/template/hooks" "${1%/*}/.config/git"
	printf '#!/bin/sh\necho hook >&2\nexit 1\n' | tee "$W/template/hooks/pre-commit" >"$W/hooks/applypatch-msg"
	cp "$W/hooks/applypatch-msg" "$W/hooks/pre-commit"
	cp "$W/hooks/applypatch-msg" "$W/hooks/post-checkout"
	chmod +x "$W/hooks/"* "$W/template/hooks/"*
	printf '* -diff text eol=crlf\n*.txt filter=upper\n' >"${1%/*}/.config/git/attributes"
	printf '*.c\n' >"${1%/*}/.config/git/ignore"
	cat >"$1" <<-END
		[user]
			name = Hostile
			email = hostile@example.org
			signingKey = nobody
		[core]
			autocrlf = true
			eol = crlf
			abbrev = 40
			quotePath = false
			hooksPath = $W/hooks
			attributesFile = ${1%/*}/.config/git/attributes
			excludesFile = ${1%/*}/.config/git/ignore
			fileMode = false
			symlinks = false
			whitespace = tab-in-indent,trailing-space
			safecrlf = true
			commentChar = x
			pager = false
			editor = false
			fsmonitor = false
			compression = 0
			logAllRefUpdates = false
		[init]
			templateDir = $W/template
			defaultBranch = trunk
			defaultObjectFormat = sha256
		[commit]
			gpgSign = true
			template = $W/nowhere
			cleanup = scissors
			verbose = true
		[tag]
			gpgSign = true
			forceSignAnnotated = true
		[gpg]
			program = false
		[am]
			threeWay = true
			keepcr = false
			messageId = true
		[mailinfo]
			scissors = true
		[apply]
			whitespace = fix
			ignoreWhitespace = change
		[diff]
			noprefix = true
			mnemonicPrefix = true
			algorithm = patience
			context = 7
			interHunkContext = 20
			renames = copies
			renameLimit = 1
			indentHeuristic = false
			suppressBlankEmpty = true
			external = false
			submodule = diff
			statGraphWidth = 5
			orderFile = $W/order
			colorMoved = zebra
			wsErrorHighlight = all
			relative = true
			dirstat = lines
			wordRegex = .
			ignoreSubmodules = all
			srcPrefix = s/
			dstPrefix = d/
		[diff "cpp"]
			xfuncname = "^(.*)\$"
			textconv = rev
		[filter "upper"]
			clean = tr a-z A-Z
			smudge = tr a-z A-Z
		[format]
			signature = -- hostile
			subjectPrefix = RFC
			numbered = true
			thread = deep
			coverLetter = true
			attach = xxx
			signOff = true
			to = list@example.org
			cc = list@example.org
			headers = X-Hostile: 1
			suffix = .eml
			useAutoBase = true
			from = true
			outputDirectory = $W/elsewhere
			encodeEmailHeaders = false
			notes = true
			filenameMaxLength = 12
			pretty = oneline
			mboxrd = true
		[log]
			showSignature = true
			date = relative
			decorate = full
			follow = true
			mailmap = true
			abbrevCommit = true
		[i18n]
			commitEncoding = ISO-8859-1
			logOutputEncoding = ISO-8859-1
		[color]
			ui = always
		[status]
			showUntrackedFiles = no
			short = true
			branch = true
			relativePaths = true
		[rebase]
			backend = apply
			autoStash = true
			updateRefs = true
		[checkout]
			defaultRemote = x
			guess = false
		[merge]
			ff = false
		[clone]
			rejectShallow = true
		[fetch]
			prune = true
			fsckObjects = true
		[protocol]
			allow = never
		[transfer]
			hideRefs = refs
		[index]
			version = 4
		[feature]
			manyFiles = true
		[alias]
			am = !false
			log = !false
	END
	echo noeol >"$W/order"
}
