# An agent that does what it is told, a line at a time, by this shell: whoever has taken one over can do the same.
# Arguments: the pipe with the lines, and a file of its own code.
exec 3<"$1"
. "$2"
while read -r line <&3; do
  eval "$line"
done
