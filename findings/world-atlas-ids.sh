#!/bin/sh
# world-atlas (npm): the id of a country is neither there for each shape nor different for each.
#
# One would guess: each shape has the ISO 3166-1 numeric code of its country as its id, so a table of messages by country
# is joined by it; the small file (110m) has the same countries with coarser borders.
# What happens: in countries-50m.json five of 241 shapes have no id (Kosovo among them), two share 036 (Australia, and the
# Ashmore and Cartier Islands), and ids are texts with zeros in front. countries-110m.json has 177 shapes only: Singapore,
# Hong Kong, Malta, Mauritius and Bahrain are not on it.
# Version: world-atlas 2.0.2.
# Why it matters: a map of the hosts that send in one's name loses the places where much of that mail comes from, or
# colours a reef for Australia, and nothing says so.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund world-atlas@2.0.2 >/dev/null
node - <<'EOF'
const read = (name) => require(`world-atlas/${name}`).objects.countries.geometries;
const fine = read('countries-50m.json');
const coarse = read('countries-110m.json');
const name = (shape) => shape.properties.name;
const without = fine.filter((shape) => shape.id === undefined).map(name);
const known = fine.map((shape) => shape.id).filter((id) => id !== undefined);
const twice = fine.filter((shape) => known.indexOf(shape.id) !== known.lastIndexOf(shape.id)).map(name);
const missing = ['Bahrain', 'Hong Kong', 'Malta', 'Mauritius', 'Singapore'].filter(
    (place) => fine.map(name).includes(place) && !coarse.map(name).includes(place),
);
console.log('world-atlas', require('world-atlas/package.json').version);
console.log(`countries-50m: ${fine.length} shapes, without id: ${without.join(', ')}`);
console.log(`countries-50m: one id for ${twice.join(' and ')}: ${fine.find((shape) => name(shape) === twice[0]).id}`);
console.log(`countries-110m: ${coarse.length} shapes, absent: ${missing.join(', ')}`);
const same = without.length === 5 && without.includes('Kosovo') && twice.length === 2 && missing.length === 5;
process.exit(same && fine.every((shape) => ['string', 'undefined'].includes(typeof shape.id)) ? 0 : 1);
EOF
