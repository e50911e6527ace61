import { useDeferredValue, useState } from 'react';
import { useQuery } from 'urql';
import { Link } from 'wouter';
import { FindPatientsDocument } from '../operations.ts';
import { countOf, dateOf, phoneOf } from '../ui/format.ts';
import { TextInput } from '../ui/fields.tsx';
import { Button, Empty, Loading, Panel, Pill, Problem } from '../ui/parts.tsx';

/** Patients by the beginnings of their names, or by ends of their numbers. What is looked for never becomes part of a URL. */
export function Patients() {
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search.trim());
  const [pages, setPages] = useState<string[]>([]);
  const after = pages.at(-1) ?? null;
  const [{ data, error }] = useQuery({
    query: FindPatientsDocument,
    variables: { search: wanted || null, after },
  });
  const found = data?.patients;
  return (
    <div>
      <div className="heading">
        <h1>Patients</h1>
        <TextInput
          type="search"
          label="Name or end of a number"
          value={search}
          onChange={(value) => {
            setSearch(value);
            setPages([]);
          }}
        />
      </div>
      {error ? <Problem message={error.message} /> : null}
      <Panel title={wanted ? 'Found' : 'Everybody'} note={found ? countOf(found.totalCount) : ''}>
        {!found ? <Loading what="patients" /> : <PatientRows rows={found.edges.map(({ node }) => node)} />}
        <div className="body actions">
          {pages.length > 0 ? <Button onPress={() => setPages(pages.slice(0, -1))}>Back</Button> : null}
          {found?.pageInfo.hasNextPage ? (
            <Button onPress={() => setPages([...pages, found.pageInfo.endCursor!])}>More</Button>
          ) : null}
        </div>
      </Panel>
    </div>
  );
}

type Row = {
  id: string;
  name: string;
  birthDate: string | null;
  phone: string | null;
  status: string;
  tags: string[];
};

function PatientRows({ rows }: { rows: Row[] }) {
  if (rows.length === 0) return <Empty title="Nobody is found.">Look for the beginning of a name.</Empty>;
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col">Born</th>
          <th scope="col">Number</th>
          <th scope="col">Status</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, name, birthDate, phone, status }) => (
          <tr key={id}>
            <th scope="row">
              <Link href={`/patients/${id}`}>{name}</Link>
            </th>
            <td>{birthDate ? dateOf(birthDate) : ''}</td>
            <td>{phone ? phoneOf(phone) : 'none'}</td>
            <td>
              <Pill status={status} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
